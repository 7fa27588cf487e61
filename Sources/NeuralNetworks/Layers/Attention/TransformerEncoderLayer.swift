import Autodiff

// Residual branches around attention and feed-forward, with the norm behind the sum as in the paper
// (Vaswani et al. 2017) or at the start of the branch (Xiong et al. 2020), which trains without
// warm-up:
//
//   post-norm  x = norm1(x + attention(x));  x = norm2(x + feedForward(x))
//   pre-norm   x = x + attention(norm1(x));  x = x + feedForward(norm2(x))

/// The sizes and choices that all layers of a Transformer share.
public struct TransformerShape: Sendable {
    /// Columns of a position, heads, columns between the two linear maps.
    public var width: Int, heads: Int, hidden: Int
    /// Dropout of probabilities, hidden values and branches.
    public var dropout: Float
    /// Between the two linear maps.
    public var activation: FeedForwardActivation
    /// Whether a branch begins with its norm.
    public var normFirst: Bool
    /// Added to the variance in the norms.
    public var epsilon: Float
    /// Whether linear maps and norms have biases.
    public var bias: Bool

    /// PyTorch's defaults, but for its dropout of 0.1.
    public init(
        width: Int, heads: Int, hidden: Int, dropout: Float = 0,
        activation: FeedForwardActivation = .relu, normFirst: Bool = false, epsilon: Float = 1e-5,
        bias: Bool = true
    ) {
        self.width = width
        self.heads = heads
        self.hidden = hidden
        self.dropout = dropout
        self.activation = activation
        self.normFirst = normFirst
        self.epsilon = epsilon
        self.bias = bias
    }

    func attention(stream: inout InitializationStream) -> MultiHeadAttention {
        MultiHeadAttention(width, heads: heads, dropout: dropout, bias: bias, stream: &stream)
    }

    func feedForward(stream: inout InitializationStream) -> FeedForward {
        FeedForward(
            width, hidden: hidden, activation: activation, dropout: dropout, bias: bias,
            stream: &stream)
    }

    func norm() -> LayerNorm { LayerNorm(width, epsilon: epsilon, bias: bias) }

    /// One residual branch.
    func branch(_ x: Variable, norm: LayerNorm, _ body: (Variable) -> Variable) -> Variable {
        if normFirst { return add(x, Autodiff.dropout(body(norm(x)), probability: dropout)) }
        return norm(add(x, Autodiff.dropout(body(x), probability: dropout)))
    }
}

/// Self-attention and feed-forward, with the parameters of PyTorch's `TransformerEncoderLayer`.
/// Under a causal mask it is the layer of a GPT.
public struct TransformerEncoderLayer: Layer {
    private let attention: MultiHeadAttention
    private let feedForward: FeedForward
    private let norm1: LayerNorm, norm2: LayerNorm
    private let shape: TransformerShape

    /// Parameters drawn from `stream`.
    public init(_ shape: TransformerShape, stream: inout InitializationStream) {
        self.shape = shape
        attention = shape.attention(stream: &stream)
        feedForward = shape.feedForward(stream: &stream)
        norm1 = shape.norm()
        norm2 = shape.norm()
    }

    /// PyTorch's names.
    public var parts: [(name: String, value: Any)] {
        [
            (name: "self_attn", value: attention), (name: "linear1", value: feedForward.linear1),
            (name: "linear2", value: feedForward.linear2), (name: "norm1", value: norm1),
            (name: "norm2", value: norm2),
        ]
    }

    /// Without a mask.
    public func callAsFunction(_ x: Variable) -> Variable { self(x, mask: .none) }

    /// A padded batch, without a mask but for the padding.
    public func callAsFunction(_ x: Features) -> Features { self(x, mask: .none) }

    /// A padded batch: no step sees one beyond the end of its sequence.
    public func callAsFunction(_ x: Features, mask: AttentionMask) -> Features {
        Features(self(x.values, mask: mask.limited(to: x.lengths)), lengths: x.lengths)
    }

    /// [N, T, width] to the same.
    public func callAsFunction(
        _ x: Variable, mask: AttentionMask, map: AttentionMap? = nil
    ) -> Variable {
        run(x) { attention($0, mask: mask, map: map) }
    }

    /// New time steps of a sequence whose earlier ones are in the cache.
    public func callAsFunction(
        _ x: Variable, cache: KeyValueCache, map: AttentionMap? = nil
    ) -> Variable {
        run(x) { attention($0, cache: cache, map: map) }
    }

    private func run(_ x: Variable, _ attend: (Variable) -> Variable) -> Variable {
        let attended = shape.branch(x, norm: norm1, attend)
        return shape.branch(attended, norm: norm2) { feedForward($0) }
    }
}
