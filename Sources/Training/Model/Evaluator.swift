import Checkpoints
import Datasets
import Foundation
import Configuration
import Learning

/// Measures a finished run's model on its test split, in this process.
package enum Evaluator {
    /// - Parameters:
    ///   - runFolder: holds `config.json` and `model.safetensors`.
    ///   - dataPath: where the data files lie, if not where the configuration says: a folder, or a text.
    ///   - isWhole: whether a text is measured from its beginning and not in its last part alone.
    /// - Throws: `ConfigurationError`, `DataError`, `CheckpointError`, `StateMismatch`, `ModelError`.
    package static func evaluate(
        runFolder: String, dataPath: String?, isWhole: Bool, parts: ProgramParts = .none
    ) throws -> EvaluationSums {
        var configuration = try FinishedRun.configuration(runFolder)
        if let dataPath { configuration.data = relocated(configuration.data, to: dataPath) }
        switch configuration.data {
        case .images(let data):
            // The training split is not needed, and may not be there.
            let evaluation = try ImageEvaluation(configuration, data, shape: nil)
            let model = try FinishedRun.model(
                runFolder, configuration, input: evaluation.split.dataset.outline.feature,
                outputs: data.classes, parts: parts)
            return .total((0..<evaluation.batchCount).map { evaluation.sums(of: $0, model: model) })
        case .pairs(let data):
            let test = try PairEvaluation(
                configuration, data, names: try RunVocabularies(runFolder: runFolder))
            let model = try FinishedRun.model(
                runFolder, configuration, input: test.input, outputs: test.names.target.count)
            return .total((0..<test.batchCount).map { test.sums(of: $0, model: model) })
        case .text(let data):
            // The symbols are those of the weights, whatever another text would make of them.
            let vocabulary = try RunVocabularies(runFolder: runFolder).source
            let text = try PlainText(path: data.path)
            let measured =
                isWhole
                ? text : try text.split(trainingFraction: 1 - data.validationShare).validation
            let evaluation = try TextEvaluation(configuration, data, measured, vocabulary)
            let model = try FinishedRun.model(
                runFolder, configuration, input: .tokens(data.context), outputs: vocabulary.count,
                parts: parts)
            return .total((0..<evaluation.batchCount).map { evaluation.sums(of: $0, model: model) })
        case .own:
            let task = try configuration.loadTask(parts)
            let model = try FinishedRun.model(
                runFolder, configuration, input: task.input, outputs: task.outputCount,
                parts: parts)
            return .total(
                (0..<task.evaluationBatchCount).map { task.evaluate(batch: $0, model: model) })
        }
    }

    private static func relocated(_ data: DataConfiguration, to path: String) -> DataConfiguration {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        guard case .text(var text) = data, exists, !isFolder.boolValue else {
            return data.relocated(to: path)
        }
        text.path = path
        return .text(text)
    }
}
