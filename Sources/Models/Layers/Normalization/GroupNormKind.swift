import Configuration
import NeuralNetworks

/// Normalises each sample by itself, over the positions and the channels of each group.
struct GroupNormKind: LayerKind {
    static let name = "groupNorm"
    static let keys = ["groups", "epsilon"]

    let groups: Int
    let epsilon: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        groups = try reader.requiredInteger("groups", sizeRange)
        epsilon = try reader.number("epsilon", .positive) ?? 1e-5
    }

    var resolved: [String: ConfigurationValue] {
        ["groups": .integer(groups), "epsilon": .number(epsilon)]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let channels = try channels(context)
        guard channels % groups == 0 else {
            throw context.failure("\(groups) groups do not divide \(channels) channels")
        }
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        GroupNorm(groups, try channels(context), epsilon: Float(epsilon))
    }

    private func channels(_ context: LayerContext) throws(ModelError) -> Int {
        // Padding of sequences would count in the statistics.
        guard let channels = context.input.image?.channels ?? context.input.vector else {
            throw context.needs("an image or a vector")
        }
        return channels
    }
}
