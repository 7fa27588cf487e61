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
        let split = try RunData.testSplit(configuration, shape: nil)
        let model = try FinishedRun.model(
            runFolder, configuration, input: split.dataset.outline.feature)
        let evaluation = SplitEvaluation(
            split: split, batchSize: configuration.evaluation.batchSize)
        return SplitEvaluation.total(
            (0..<evaluation.batchCount).map { evaluation.sums(of: $0, model: model) })
    }
}
