import Autodiff
import Configuration
import NeuralNetworks

/// A block of a Transformer: self-attention and feed-forward with the norms first, and GELU.
struct TransformerKind: LayerKind {
    static let name = "transformer"
    static let keys = ["heads", "feedForward", "dropout", "causal"]

    let heads: Int
    let feedForward: Int
    let dropout: Double
    /// Whether each position sees only itself and those before it.
    let causal: Bool

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        heads = try reader.requiredInteger("heads", 1...1024)
        feedForward = try reader.requiredInteger("feedForward", 1...1_048_576)
        dropout = try reader.number("dropout", .fraction) ?? 0
        causal = try reader.bool("causal") ?? true
    }

    var resolved: [String: ConfigurationValue] {
        [
            "heads": .integer(heads), "feedForward": .integer(feedForward),
            "dropout": .number(dropout), "causal": .bool(causal),
        ]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (_, features) = try context.sequence()
        guard features % heads == 0 else {
            throw context.failure("\(heads) heads do not divide its \(features) features")
        }
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        let shape = TransformerShape(
            width: try context.sequence().features, heads: heads, hidden: feedForward,
            dropout: Float(dropout), activation: .gelu, normFirst: true)
        return TransformerBlock(shape, isCausal: causal, stream: &stream)
    }

    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        guard causal else { throw context.seesLaterSymbols }
        let (length, features) = try context.sequence()
        let block: TransformerBlock = built(layer)
        return AttentionSteps(capacity: length, width: features) { block($0, cache: $1) }
    }
}
