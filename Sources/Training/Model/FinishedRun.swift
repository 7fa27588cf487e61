import Checkpoints
import Foundation
import Models
import Configuration
import Learning

/// A run's folder, read back to use its model.
package enum FinishedRun {
    /// The resolved configuration that the run was started with.
    package static func configuration(
        _ folder: String
    ) throws(ConfigurationError) -> RunConfiguration {
        try RunConfiguration.load(path: "\(folder)/config.json")
    }

    /// The network with the run's final weights.
    package static func model(
        _ folder: String, _ configuration: RunConfiguration, input: FeatureShape, outputs: Int,
        parts: ProgramParts = .none
    ) throws -> TrainedModel {
        let file = try SafetensorsReader.read(path: "\(folder)/\(TrainedModel.modelFileName)")
        // The schedule is of no use here; its lengths do not matter.
        let model = try TrainedModel(
            configuration, input: input, outputs: outputs, stepsPerEpoch: 1, totalSteps: 1,
            parts: parts)
        try model.load(model: file, optimizer: nil, step: 0)
        return model
    }
}
