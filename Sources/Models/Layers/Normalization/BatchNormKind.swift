import Configuration
import NeuralNetworks

/// Normalises each channel over the replica's batch.
struct BatchNormKind: LayerKind {
    static let name = "batchNorm"
    static let keys = ["momentum", "epsilon"]

    /// The share of the new value in the running statistics.
    let momentum: Double
    let epsilon: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        momentum = try reader.number("momentum", .from(0, to: 1)) ?? 0.1
        epsilon = try reader.number("epsilon", .positive) ?? 1e-5
    }

    var resolved: [String: ConfigurationValue] {
        ["momentum": .number(momentum), "epsilon": .number(epsilon)]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try channels(context)
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        BatchNorm(try channels(context), momentum: Float(momentum), epsilon: Float(epsilon))
    }

    private func channels(_ context: LayerContext) throws(ModelError) -> Int {
        guard let channels = context.input.image?.channels ?? context.input.vector else {
            throw context.needs("an image or a vector")
        }
        return channels
    }
}
