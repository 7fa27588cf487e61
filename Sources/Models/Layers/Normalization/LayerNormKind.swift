import Configuration
import NeuralNetworks

/// Normalises the features of each vector, or of each step of a sequence.
struct LayerNormKind: PositionwiseKind {
    static let name = "layerNorm"
    static let keys = ["epsilon"]

    let epsilon: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        epsilon = try reader.number("epsilon", .positive) ?? 1e-5
    }

    var resolved: [String: ConfigurationValue] { ["epsilon": .number(epsilon)] }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try features(context)
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        LayerNorm(try features(context), epsilon: Float(epsilon))
    }

    private func features(_ context: LayerContext) throws(ModelError) -> Int {
        guard let features = context.input.vector ?? context.input.sequence?.features else {
            throw context.needs("a vector or a sequence")
        }
        return features
    }
}
