import Autodiff

/// Multiplicative attention (Luong et al. 2015, section 3.1): scores q . k ("dot") or q . W k
/// ("general"); the keys are the values, too.
public struct MultiplicativeAttention: Module {
    /// [query width, key width]; nil for "dot".
    public let weight: Linear?

    /// Scores q . k of equal widths.
    public init() { weight = nil }

    /// Scores q . W k.
    public init(queryWidth: Int, keyWidth: Int, stream: inout InitializationStream) {
        weight = Linear(keyWidth, queryWidth, bias: false, stream: &stream)
    }

    /// W is this layer's own parameter, "weight".
    public var parts: [(name: String, value: Any)] {
        weight.map { [(name: "weight", value: $0.weight)] } ?? []
    }

    /// W k for all keys, once per sequence.
    public func projectedKeys(_ keys: Variable) -> Variable { weight?(keys) ?? keys }

    /// The contexts [N, Tq, key width] (or [Tq, N, key width]) of `queries` over `keys`.
    ///
    /// - Parameters:
    ///   - projectedKeys: the result of that function, or nil to compute it here.
    ///   - layouts: how queries and keys lie, of which the result has that of the queries.
    public func callAsFunction(
        _ queries: Variable, keys: Variable, projectedKeys projected: Variable? = nil,
        keyLengths: [Int32]? = nil,
        layouts: (queries: SequenceLayout, keys: SequenceLayout) = (.batchFirst, .batchFirst),
        map: AttentionMap? = nil
    ) -> Variable {
        scaledDotProductAttention(
            queries: AttentionOperand(queries, layout: layouts.queries),
            keys: AttentionOperand(projected ?? projectedKeys(keys), layout: layouts.keys),
            values: AttentionOperand(keys, layout: layouts.keys), heads: 1,
            headWidth: queries.shape.columns, valueWidth: keys.shape.columns,
            mask: AttentionMask(keyLengths: keyLengths), scale: 1, map: map)
    }
}
