import CKernels
import Kernels
import Tensors

/// Additive attention (Bahdanau et al. 2015, appendix A.1.2):
/// softmax over j of (sum over a of weight[a] tanh(queries[i][a] + keys[j][a])), times the values.
///
/// - Parameters:
///   - queries, keys: projected already, A columns each; values: `valueWidth` columns.
///   - weight: [A] or [1, A].
///   - keyLengths: keys of each sample, the rest is padding.
/// - Returns: [N, Tq, valueWidth] in the layout of the queries.
/// Cost: N Tq Tk A hyperbolic tangents, forward and again in backward; they are not kept.
public func additiveAttention(
    queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand,
    weight: Parameter, valueWidth: Int, keyLengths: [Int32]? = nil, map: AttentionMap? = nil
) -> Variable {
    let pass = AdditiveAttentionPass(
        queries: queries, keys: keys, values: values, weight: weight, valueWidth: valueWidth,
        keyLengths: keyLengths)
    let (y, probabilities) = pass.forward()
    if let map { map.probabilities = pass.map(probabilities) }
    let inputs = [queries.variable, keys.variable, values.variable]
    return queries.variable.tape.record(y, from: inputs, using: [weight]) { upstream in
        pass.backward(upstream, probabilities)
    }
}

/// One additive attention with its sizes. The probabilities are [N, Tq, stride of the plan].
private struct AdditiveAttentionPass {
    private let queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand
    private let weight: Parameter
    private let valueWidth: Int
    /// A plan of one head, which checks the sizes and carries the masked softmax.
    private let plan: AttentionPlan

    init(
        queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand,
        weight: Parameter, valueWidth: Int, keyLengths: [Int32]?
    ) {
        plan = AttentionPlan(
            queries: queries, keys: keys, values: values, heads: 1, headWidth: weight.shape.count,
            valueWidth: valueWidth, mask: AttentionMask(keyLengths: keyLengths), scale: 1,
            dropout: 0)
        self.queries = queries
        self.keys = keys
        self.values = values
        self.weight = weight
        self.valueWidth = valueWidth
    }

    private var width: Int { weight.shape.count }
    private var samples: Int { queries.samples }
    private var rows: Int { queries.length }
    private var planeCount: Int { rows * plan.stride }
    private var isBatchFirst: Bool { queries.layout == .batchFirst }
    /// Floats from row to row, and from sample to sample, of the result.
    private var outputStride: Int { isBatchFirst ? valueWidth : samples * valueWidth }
    private var sampleStride: Int { isBatchFirst ? rows * valueWidth : valueWidth }

    private func scoresTile(_ sample: Int) -> rondo_additive_tile {
        rondo_additive_tile(
            rows: Int64(rows),
            columns: Int64(plan.visibleKeys(sample: sample, queryCount: rows)),
            stride: Int64(plan.stride), width: Int64(width), queryStride: Int64(queries.rowStride),
            keyStride: Int64(keys.rowStride))
    }

    func forward() -> (y: Tensor, probabilities: Tensor) {
        let probabilities = Tensor(uninitialized: [samples, planeCount])
        let statistics = Tensor(uninitialized: [rows, 2])
        let y = Tensor(
            uninitialized: isBatchFirst
                ? [samples, rows, valueWidth] : [rows, samples, valueWidth])
        for sample in 0..<samples {
            let scores = probabilities.pointer + sample * planeCount
            var scoresTile = scoresTile(sample)
            rondo_additive_scores(
                scores, queries.pointer(sample, 0, 0), keys.pointer(sample, 0, 0),
                weight.value.pointer, &scoresTile)
            plan.withTile(sample: sample, head: 0, firstRow: 0, rows: rows) { tile in
                rondo_attention_softmax(scores, statistics.pointer, &tile)
            }
            matrixProduct(
                scores, values.pointer(sample, 0, 0), into: y.pointer + sample * sampleStride,
                m: rows, n: valueWidth, k: Int(scoresTile.columns), strideA: plan.stride,
                strideB: values.rowStride, strideC: outputStride)
        }
        return (y, probabilities)
    }

    func backward(_ upstream: Tensor, _ probabilities: Tensor) {
        let gradients = OperandGradients(
            [queries, keys, values], widths: [width, width, valueWidth], adding: true)
        let dscores = Tensor(uninitialized: [planeCount])
        let dweight = Tensor(zeros: [width])
        for sample in 0..<samples {
            let scores = probabilities.pointer + sample * planeCount
            let dy = upstream.pointer + sample * sampleStride
            var scoresTile = scoresTile(sample)
            let seen = Int(scoresTile.columns)
            matrixProduct(
                dy, values.pointer(sample, 0, 0), transposeB: true, into: dscores.pointer,
                m: rows, n: seen, k: valueWidth, strideA: outputStride, strideB: values.rowStride,
                strideC: plan.stride)
            matrixProduct(
                scores, transposeA: true, dy, into: gradients.pointer(2, sample, 0, 0), m: seen,
                n: valueWidth, k: rows, beta: 1, strideA: plan.stride, strideB: outputStride,
                strideC: values.rowStride)
            plan.withTile(sample: sample, head: 0, firstRow: 0, rows: rows) { tile in
                rondo_attention_gradient(dscores.pointer, scores, &tile)
            }
            rondo_additive_scores_gradient(
                gradients.pointer(0, sample, 0, 0), gradients.pointer(1, sample, 0, 0),
                dweight.pointer, dscores.pointer, queries.pointer(sample, 0, 0),
                keys.pointer(sample, 0, 0), weight.value.pointer, &scoresTile)
        }
        queries.variable.tape.addGradient(to: weight) { gradient, beta in
            rondo_column_sums(gradient, dweight.pointer, 1, width, beta != 0)
        }
        gradients.deliver()
    }

    /// [N, 1, Tq, Tk]: the probabilities without the padding of their rows.
    func map(_ probabilities: Tensor) -> Tensor {
        let columns = keys.length
        let map = Tensor(uninitialized: [samples, 1, rows, columns])
        for row in 0..<samples * rows {
            (map.pointer + row * columns).update(
                from: probabilities.pointer + row * plan.stride, count: columns)
        }
        return map
    }
}
