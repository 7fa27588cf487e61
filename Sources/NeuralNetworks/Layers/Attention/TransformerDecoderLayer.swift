import Autodiff

/// Causal self-attention, attention to a memory, feed-forward, with the parameters of PyTorch's
/// `TransformerDecoderLayer`.
public struct TransformerDecoderLayer: Module {
    private let attention: MultiHeadAttention, memoryAttention: MultiHeadAttention
    private let feedForward: FeedForward
    private let norm1: LayerNorm, norm2: LayerNorm, norm3: LayerNorm
    private let shape: TransformerShape

    /// Parameters drawn from `stream`.
    public init(_ shape: TransformerShape, stream: inout InitializationStream) {
        self.shape = shape
        attention = shape.attention(stream: &stream)
        memoryAttention = shape.attention(stream: &stream)
        feedForward = shape.feedForward(stream: &stream)
        norm1 = shape.norm()
        norm2 = shape.norm()
        norm3 = shape.norm()
    }

    /// PyTorch's names.
    public var parts: [(name: String, value: Any)] {
        [
            (name: "self_attn", value: attention),
            (name: "multihead_attn", value: memoryAttention),
            (name: "linear1", value: feedForward.linear1),
            (name: "linear2", value: feedForward.linear2), (name: "norm1", value: norm1),
            (name: "norm2", value: norm2), (name: "norm3", value: norm3),
        ]
    }

    /// - Parameters:
    ///   - x: [N, Tq, width]; memory: [N, Tk, width], the encoder's output.
    ///   - mask: of the self-attention; memoryMask: of the memory's keys.
    ///   - map: of the attention to the memory.
    public func callAsFunction(
        _ x: Variable, memory: Variable, mask: AttentionMask = .causal,
        memoryMask: AttentionMask = .none, map: AttentionMap? = nil
    ) -> Variable {
        run(
            x, { attention($0, mask: mask) },
            { memoryAttention($0, memory: memory, mask: memoryMask, map: map) })
    }

    /// The memory as `callAsFunction(_:projectedMemory:cache:...)` wants it, once per sequence.
    public func projectedMemory(_ memory: Variable) -> Variable {
        memoryAttention.projectedMemory(memory)
    }

    /// New time steps of a sequence whose earlier ones are in the cache.
    public func callAsFunction(
        _ x: Variable, projectedMemory memory: Variable, cache: KeyValueCache,
        memoryMask: AttentionMask = .none, map: AttentionMap? = nil
    ) -> Variable {
        run(
            x, { attention($0, cache: cache) },
            { memoryAttention($0, projectedMemory: memory, mask: memoryMask, map: map) })
    }

    private func run(
        _ x: Variable, _ attend: (Variable) -> Variable, _ remember: (Variable) -> Variable
    ) -> Variable {
        let attended = shape.branch(x, norm: norm1, attend)
        let informed = shape.branch(attended, norm: norm2, remember)
        return shape.branch(informed, norm: norm3) { feedForward($0) }
    }
}
