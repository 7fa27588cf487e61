import Autodiff
import Configuration
import NeuralNetworks

/// Multi-head attention of a sequence to itself, alone: put it into a residual block.
struct SelfAttentionKind: LayerKind {
    static let name = "selfAttention"
    static let keys = ["heads", "dropout", "bias", "causal"]

    let heads: Int
    /// Dropout of the attention weights.
    let dropout: Double
    let bias: Bool
    /// Whether each position sees only itself and those before it.
    let causal: Bool

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        heads = try reader.requiredInteger("heads", 1...1024)
        dropout = try reader.number("dropout", .fraction) ?? 0
        bias = try reader.bool("bias") ?? true
        causal = try reader.bool("causal") ?? true
    }

    var resolved: [String: ConfigurationValue] {
        [
            "heads": .integer(heads), "dropout": .number(dropout), "bias": .bool(bias),
            "causal": .bool(causal),
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
        MaskedAttention(
            attention: MultiHeadAttention(
                try context.sequence().features, heads: heads, dropout: Float(dropout),
                bias: bias, stream: &stream),
            mask: AttentionMask(isCausal: causal))
    }

    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        guard causal else { throw context.seesLaterSymbols }
        let (length, features) = try context.sequence()
        let attention: MaskedAttention = built(layer)
        return AttentionSteps(capacity: length, width: features) {
            attention.attention($0, cache: $1)
        }
    }
}

/// Self-attention whose mask is settled.
private struct MaskedAttention: Layer {
    let attention: MultiHeadAttention
    let mask: AttentionMask

    var parts: [(name: String, value: Any)] { attention.parts }

    func callAsFunction(_ x: Variable) -> Variable { attention(x, mask: mask) }

    func callAsFunction(_ x: Features) -> Features { attention(x, mask: mask) }
}
