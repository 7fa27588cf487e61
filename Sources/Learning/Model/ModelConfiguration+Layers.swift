import Configuration
import Models

extension ModelConfiguration {
    /// The key `model` of a task whose network is a list of layers, or a program's.
    /// - Parameter hasClasses: whether the loss may weigh classes.
    package static func layers(
        _ configuration: ConfigurationReader, hasClasses: Bool
    ) throws(ConfigurationError) -> ModelConfiguration {
        let model = try ModelConfiguration(configuration)
        guard !model.isTranslator else {
            throw configuration.conflict(
                "model.type", "a \(model.typeName) needs \"data.format\" \"pairs\"")
        }
        if !hasClasses { try model.refuseClassWeights(configuration) }
        return model
    }

    package func refuseClassWeights(
        _ configuration: ConfigurationReader
    ) throws(ConfigurationError) {
        guard loss.classWeights == nil else {
            throw configuration.conflict(
                "model.loss.classWeights", "are for images with their classes")
        }
    }
}
