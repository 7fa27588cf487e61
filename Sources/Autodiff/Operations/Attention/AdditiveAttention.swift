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
    let width = weight.shape.count
    // A plan of one head checks the sizes and carries the masked softmax.
    let plan = AttentionPlan(
        queries: queries, keys: keys, values: values, heads: 1, headWidth: width,
        valueWidth: valueWidth, mask: AttentionMask(keyLengths: keyLengths), scale: 1, dropout: 0)
    let samples = queries.samples
    let rows = queries.length
    let planeCount = rows * plan.stride
    let probabilities = Tensor(uninitialized: [samples, planeCount])
    let statistics = Tensor(uninitialized: [rows, 2])
    let isBatchFirst = queries.layout == .batchFirst
    let outputStride = isBatchFirst ? valueWidth : samples * valueWidth
    let sampleStride = isBatchFirst ? rows * valueWidth : valueWidth
    let y = Tensor(
        uninitialized: isBatchFirst ? [samples, rows, valueWidth] : [rows, samples, valueWidth])
    func scoresTile(_ sample: Int) -> rondo_additive_tile {
        rondo_additive_tile(
            rows: Int64(rows),
            columns: Int64(plan.visibleKeys(sample: sample, queryCount: rows)),
            stride: Int64(plan.stride), width: Int64(width), queryStride: Int64(queries.rowStride),
            keyStride: Int64(keys.rowStride))
    }
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
    if let map {
        map.probabilities = unpadded(probabilities, samples, rows, keys.length, plan.stride)
    }
    let inputs = [queries.variable, keys.variable, values.variable]
    let tape = queries.variable.tape
    return tape.record(y, from: inputs, using: [weight]) { upstream in
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
        tape.addGradient(to: weight) { gradient, beta in
            rondo_column_sums(gradient, dweight.pointer, 1, width, beta != 0)
        }
        gradients.deliver()
    }
}

private func unpadded(
    _ probabilities: Tensor, _ samples: Int, _ rows: Int, _ columns: Int, _ stride: Int
) -> Tensor {
    let map = Tensor(uninitialized: [samples, 1, rows, columns])
    for row in 0..<samples * rows {
        (map.pointer + row * columns).update(
            from: probabilities.pointer + row * stride, count: columns)
    }
    return map
}
