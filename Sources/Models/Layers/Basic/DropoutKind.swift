import Configuration
import NeuralNetworks

/// Zeroes each element with a probability, in training only.
struct DropoutKind: PositionwiseKind {
    static let name = "dropout"
    static let keys = ["probability"]

    let probability: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        probability = try reader.requiredNumber(
            "probability", .fraction, expected: "a number from 0 to below 1")
    }

    var resolved: [String: ConfigurationValue] { ["probability": .number(probability)] }

    func output(for context: LayerContext) -> FeatureShape { context.input }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        Dropout(probability: Float(probability))
    }
}
