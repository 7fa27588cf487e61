import Checkpoints
import Foundation
import NeuralNetworks
import RunConfiguration

/// Measures a finished run's model on its test split, in this process.
package enum Evaluator {
    /// - Parameters:
    ///   - runFolder: holds `config.json` and `model.safetensors`.
    ///   - dataDirectory: where the data files lie, if not where the configuration says.
    /// - Throws: `ConfigurationError`, `DataError`, `CheckpointError`, `StateMismatch`, `ModelError`.
    package static func evaluate(
        runFolder: String, dataDirectory: String?
    ) throws -> EvaluationSums {
        var configuration = try FinishedRun.configuration(runFolder)
        if let dataDirectory {
            configuration.data = configuration.data.relocated(to: dataDirectory)
        }
        switch configuration.data {
        case .images(let data):
            // The training split is not needed, and may not be there.
            let evaluation = try ImageEvaluation(configuration, data, shape: nil)
            let model = try FinishedRun.model(
                runFolder, configuration, input: evaluation.split.dataset.outline.feature,
                outputs: data.classes)
            return .total((0..<evaluation.batchCount).map { evaluation.sums(of: $0, model: model) })
        case .pairs(let data):
            let test = try PairEvaluation(
                configuration, data, names: try RunVocabularies(runFolder: runFolder))
            let model = try FinishedRun.model(
                runFolder, configuration, input: test.input, outputs: test.names.target.count)
            return .total((0..<test.batchCount).map { test.sums(of: $0, model: model) })
        case .text:
            let task = try configuration.loadTask()
            let model = try FinishedRun.model(
                runFolder, configuration, input: task.input, outputs: task.outputCount)
            return .total(
                (0..<task.evaluationBatchCount).map { task.evaluate(batch: $0, model: model) })
        }
    }
}
