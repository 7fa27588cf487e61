import Configuration
import NeuralNetworks

/// Two linear maps with a function between them, position by position.
struct FeedForwardKind: PositionwiseKind {
    static let name = "feedForward"
    static let keys = ["hidden", "activation", "dropout", "bias"]

    enum Function: String, CaseIterable, Sendable { case relu, gelu }

    /// Features between the two maps.
    let hidden: Int
    let activation: Function
    let dropout: Double
    let bias: Bool

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        hidden = try reader.requiredInteger("hidden", 1...1_048_576)
        activation = try reader.name("activation") ?? .relu
        dropout = try reader.number("dropout", .fraction) ?? 0
        bias = try reader.bool("bias") ?? true
    }

    var resolved: [String: ConfigurationValue] {
        [
            "hidden": .integer(hidden), "activation": .string(activation.rawValue),
            "dropout": .number(dropout), "bias": .bool(bias),
        ]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try features(context)
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        FeedForward(
            try features(context), hidden: hidden, activation: activation == .gelu ? .gelu : .relu,
            dropout: Float(dropout), bias: bias, stream: &stream)
    }

    private func features(_ context: LayerContext) throws(ModelError) -> Int {
        guard let features = context.input.vector ?? context.input.sequence?.features else {
            throw context.needs("a vector or a sequence")
        }
        return features
    }
}
