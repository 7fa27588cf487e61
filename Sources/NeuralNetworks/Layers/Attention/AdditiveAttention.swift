import Autodiff
import Tensors

/// Additive attention (Bahdanau et al. 2015): scores v . tanh(W q + U k) of queries and keys that
/// may have any widths; the keys are the values, too.
public struct AdditiveAttention: Module {
    /// [hidden, query width] and [hidden, key width]; the query's has the bias of the sum.
    public let query: Linear, key: Linear
    /// [1, hidden]
    public let score: Linear

    /// Parameters drawn from `stream`.
    public init(
        queryWidth: Int, keyWidth: Int, hidden: Int, stream: inout InitializationStream
    ) {
        query = Linear(queryWidth, hidden, stream: &stream)
        key = Linear(keyWidth, hidden, bias: false, stream: &stream)
        // A bias of the score would be the same for all keys: softmax takes no notice of it.
        score = Linear(hidden, 1, bias: false, stream: &stream)
    }

    /// U k for all keys, once per sequence: a decoder that goes step by step uses it again and
    /// again.
    public func projectedKeys(_ keys: Variable) -> Variable { key(keys) }

    /// The contexts [N, Tq, key width] (or [Tq, N, key width]) of `queries` over `keys`.
    ///
    /// - Parameters:
    ///   - projectedKeys: the result of that function, or nil to compute it here.
    ///   - layouts: how queries and keys lie, of which the result has that of the queries.
    public func callAsFunction(
        _ queries: Variable, keys: Variable, projectedKeys: Variable? = nil,
        keyLengths: [Int32]? = nil,
        layouts: (queries: SequenceLayout, keys: SequenceLayout) = (.batchFirst, .batchFirst),
        map: AttentionMap? = nil
    ) -> Variable {
        additiveAttention(
            queries: AttentionOperand(query(queries), layout: layouts.queries),
            keys: AttentionOperand(projectedKeys ?? key(keys), layout: layouts.keys),
            values: AttentionOperand(keys, layout: layouts.keys), weight: score.weight,
            valueWidth: keys.shape.columns, keyLengths: keyLengths, map: map)
    }
}
