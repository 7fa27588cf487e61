import Autodiff
import Tensors

/// Multi-head attention (Vaswani et al. 2017, section 3.2.2) with the parameters of PyTorch's
/// `MultiheadAttention`, over batches [N, T, width].
///
/// Where keys and values have the width of the queries, the three projections are one weight, and
/// self-attention computes them with one product.
public struct MultiHeadAttention: Layer {
    /// [3 width, width]: queries, keys, values; nil where keys or values have another width.
    public let inProjWeight: Parameter?
    /// [width, width of queries, keys, values], if they differ.
    public let qProjWeight: Parameter?, kProjWeight: Parameter?, vProjWeight: Parameter?
    /// [3 width]
    public let inProjBias: Parameter?
    /// [width, width]
    public let outProj: Linear
    private let width: Int, heads: Int
    private let dropout: Float

    /// Weights of the inputs by Glorot's rule, biases zero, as in PyTorch.
    /// - Precondition: `heads` divides `width`.
    public init(
        _ width: Int, heads: Int, dropout: Float = 0, bias: Bool = true, keyWidth: Int? = nil,
        valueWidth: Int? = nil, stream: inout InitializationStream
    ) {
        precondition(heads > 0 && width % heads == 0, "\(heads) heads for a width of \(width)")
        self.width = width
        self.heads = heads
        self.dropout = dropout
        func weight(_ outputs: Int, _ inputs: Int) -> Parameter {
            Parameter(
                Initializer.xavierUniform.tensor(
                    [outputs, inputs], fanIn: inputs, fanOut: outputs, stream: &stream))
        }
        let keyWidth = keyWidth ?? width
        let valueWidth = valueWidth ?? width
        let isPacked = keyWidth == width && valueWidth == width
        inProjWeight = isPacked ? weight(3 * width, width) : nil
        qProjWeight = isPacked ? nil : weight(width, width)
        kProjWeight = isPacked ? nil : weight(width, keyWidth)
        vProjWeight = isPacked ? nil : weight(width, valueWidth)
        inProjBias = bias ? Parameter(Tensor(zeros: [3 * width])) : nil
        outProj = Linear(width, width, bias: bias, stream: &stream)
        if let bias = outProj.bias { bias.value.pointer.update(repeating: 0, count: width) }
    }

    /// PyTorch's names.
    public var parts: [(name: String, value: Any)] {
        let weights: [(String, Parameter?)] = [
            ("inProjWeight", inProjWeight), ("qProjWeight", qProjWeight),
            ("kProjWeight", kProjWeight), ("vProjWeight", vProjWeight), ("inProjBias", inProjBias),
        ]
        return weights.compactMap { name, weight in weight.map { (name: name, value: $0) } }
            + [(name: "out_proj", value: outProj)]
    }

    /// Self-attention without a mask.
    public func callAsFunction(_ x: Variable) -> Variable { self(x, mask: .none) }

    /// Self-attention of a padded batch.
    public func callAsFunction(_ x: Features) -> Features { self(x, mask: .none) }

    /// Self-attention of a padded batch: no query sees a key beyond the end of its sequence.
    public func callAsFunction(_ x: Features, mask: AttentionMask) -> Features {
        Features(self(x.values, mask: mask.limited(to: x.lengths)), lengths: x.lengths)
    }

    /// Self-attention: [N, T, width] to the same.
    public func callAsFunction(
        _ x: Variable, mask: AttentionMask, map: AttentionMap? = nil
    ) -> Variable {
        guard inProjWeight != nil else { return self(x, keys: x, values: x, mask: mask, map: map) }
        let projected = packed(x, 0..<3)
        return attended(
            AttentionOperand(projected), AttentionOperand(projected, firstColumn: width),
            AttentionOperand(projected, firstColumn: 2 * width), mask, map)
    }

    /// Attention of `queries` [N, Tq, width] to a memory [N, Tk, width] that gives keys and values.
    public func callAsFunction(
        _ queries: Variable, memory: Variable, mask: AttentionMask = .none,
        map: AttentionMap? = nil
    ) -> Variable {
        guard inProjWeight != nil else {
            return self(queries, keys: memory, values: memory, mask: mask, map: map)
        }
        return self(
            queries, projectedMemory: projectedMemory(memory), mask: mask, map: map)
    }

    /// Attention with keys and values of their own.
    public func callAsFunction(
        _ queries: Variable, keys: Variable, values: Variable, mask: AttentionMask = .none,
        map: AttentionMap? = nil
    ) -> Variable {
        let operands = zip(
            [queries, keys, values], [qProjWeight, kProjWeight, vProjWeight]
        ).enumerated().map { index, pair in
            guard let weight = pair.1 else {
                return AttentionOperand(packed(pair.0, index..<index + 1))
            }
            return AttentionOperand(
                linear(
                    pair.0, weight: weight, rows: 0..<width, bias: inProjBias,
                    firstBias: index * width))
        }
        return attended(operands[0], operands[1], operands[2], mask, map)
    }

    /// Keys and values of a memory side by side, [N, Tk, 2 width], to be used by many calls.
    /// - Precondition: keys and values have the width of the queries.
    public func projectedMemory(_ memory: Variable) -> Variable { packed(memory, 1..<3) }

    /// Attention to a memory that `projectedMemory` has projected.
    public func callAsFunction(
        _ queries: Variable, projectedMemory memory: Variable, mask: AttentionMask = .none,
        map: AttentionMap? = nil
    ) -> Variable {
        attended(
            AttentionOperand(packed(queries, 0..<1)), AttentionOperand(memory),
            AttentionOperand(memory, firstColumn: width), mask, map)
    }

    /// Causal self-attention of new time steps to those in the cache and to themselves; the cache
    /// takes them in. Gives the numbers of a pass over the whole sequence.
    public func callAsFunction(
        _ x: Variable, cache: KeyValueCache, map: AttentionMap? = nil
    ) -> Variable {
        let projected = packed(x, 0..<3)
        cache.append(projected.value)
        let (keys, values) = cache.operands(on: x.tape)
        return attended(AttentionOperand(projected), keys, values, .causal, map)
    }

    /// The parts (queries 0, keys 1, values 2) of the packed projection.
    private func packed(_ x: Variable, _ parts: Range<Int>) -> Variable {
        guard let inProjWeight else {
            preconditionFailure("packed projection of keys and values of another width")
        }
        let rows = parts.lowerBound * width..<parts.upperBound * width
        return linear(
            x, weight: inProjWeight, rows: rows, bias: inProjBias, firstBias: rows.lowerBound)
    }

    private func attended(
        _ queries: AttentionOperand, _ keys: AttentionOperand, _ values: AttentionOperand,
        _ mask: AttentionMask, _ map: AttentionMap?
    ) -> Variable {
        outProj(
            scaledDotProductAttention(
                queries: queries, keys: keys, values: values, heads: heads,
                headWidth: width / heads, mask: mask, dropout: dropout, map: map))
    }
}

extension AttentionMask {
    /// The same, and of each sample only as many keys as its sequence has steps.
    func limited(to lengths: [Int32]?) -> AttentionMask {
        var mask = self
        if let lengths { mask.keyLengths = keyLengths.map { zip($0, lengths).map(min) } ?? lengths }
        return mask
    }
}
