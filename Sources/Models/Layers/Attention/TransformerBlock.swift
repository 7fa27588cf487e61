import Autodiff
import NeuralNetworks

/// A block of a Transformer whose mask is settled: [N, T, features] to the same.
package struct TransformerBlock: Layer {
    private let block: TransformerEncoderLayer
    private let mask: AttentionMask

    package init(_ shape: TransformerShape, isCausal: Bool, stream: inout InitializationStream) {
        block = TransformerEncoderLayer(shape, stream: &stream)
        mask = AttentionMask(isCausal: isCausal)
    }

    package var parts: [(name: String, value: Any)] { block.parts }

    package func callAsFunction(_ x: Variable) -> Variable { block(x, mask: mask) }

    package func callAsFunction(_ x: Features) -> Features { block(x, mask: mask) }

    /// New steps of sequences whose earlier ones are in the cache; causal.
    package func callAsFunction(_ x: Variable, cache: KeyValueCache) -> Variable {
        block(x, cache: cache)
    }
}
