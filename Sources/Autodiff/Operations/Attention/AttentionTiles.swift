import CKernels
import Kernels
import Tensors

// The two passes over the tiles of an attention. Tiles follow one another by sample, head and rows;
// in backward the rows go from the last tile to the first, because the last one of a causal mask
// sees the most keys: it overwrites the gradients of keys and values, and the others add to them.

/// What forward leaves for backward.
struct AttentionKept {
    /// [N, heads, Tq, stride], or nil where backward computes it again.
    var probabilities: Tensor?
    /// [N, heads, Tq, 2]: largest score and inverse sum.
    var statistics: Tensor
}

extension AttentionPlan {
    private var planeCount: Int { queries.length * stride }

    private func forEachHead(_ body: (_ sample: Int, _ head: Int, _ plane: Int) -> Void) {
        for sample in 0..<samples {
            for head in 0..<heads { body(sample, head, sample * heads + head) }
        }
    }

    /// The first rows of the tiles, ascending.
    private var tileStarts: StrideTo<Int> {
        Swift.stride(from: 0, to: queries.length, by: Self.tileRows)
    }

    func forward(keeping: Bool, map: AttentionMap?) -> (Tensor, AttentionKept) {
        let width = heads * valueWidth
        let shape = queries.variable.shape
        let y = Tensor(
            uninitialized: queries.layout == .batchFirst
                ? [samples, queries.length, width] : [queries.length, samples, width])
        require(
            queries.length == shape[queries.layout == .batchFirst ? 1 : 0],
            "attention: \(queries.length) queries of \(shape)")
        let keepsProbabilities = keeping && samples * heads * planeCount <= Self.keptCount
        let probabilities = Tensor(
            uninitialized: keepsProbabilities
                ? [samples * heads, planeCount] : [min(Self.tileRows, queries.length) * stride])
        let statistics = Tensor(uninitialized: [samples * heads, queries.length, 2])
        let dropped = Tensor(
            uninitialized: [hasDropout ? min(Self.tileRows, queries.length) * stride : 0])
        let mapped = map.map { _ in
            Tensor(uninitialized: [samples, heads, queries.length, keys.length])
        }
        forEachHead { sample, head, plane in
            for first in tileStarts {
                let rows = min(Self.tileRows, queries.length - first)
                let scores =
                    probabilities.pointer
                    + (keepsProbabilities ? plane * planeCount + first * stride : 0)
                let seen = visibleKeys(sample: sample, queryCount: first + rows)
                products(sample, head, first, rows, seen, into: scores)
                var weights = scores
                withTile(sample: sample, head: head, firstRow: first, rows: rows) { tile in
                    rondo_attention_softmax(
                        scores, statistics.pointer + 2 * (plane * queries.length + first), &tile)
                    if hasDropout {
                        weights = dropped.pointer
                        rondo_attention_dropout(weights, scores, &tile)
                    }
                }
                if let mapped {
                    for row in 0..<rows {
                        let line = plane * queries.length + first + row
                        (mapped.pointer + line * keys.length).update(
                            from: scores + row * stride, count: keys.length)
                    }
                }
                matrixProduct(
                    weights, values.pointer(sample, 0, head * valueWidth),
                    into: y.pointer
                        + outputOffset(sample: sample, row: first, column: head * valueWidth),
                    m: rows, n: valueWidth, k: seen, strideA: stride, strideB: values.rowStride,
                    strideC: outputRowStride,
                    edge: mask.isCausal ? .steps(visible: firstVisible(first)) : .none)
            }
        }
        map?.probabilities = mapped
        return (
            y,
            AttentionKept(
                probabilities: keepsProbabilities ? probabilities : nil, statistics: statistics)
        )
    }

    func backward(_ upstream: Tensor, _ kept: AttentionKept) {
        let gradients = OperandGradients(
            [queries, keys, values], widths: [headWidth, headWidth, valueWidth].map { $0 * heads })
        let scratch = Tensor(uninitialized: [3, min(Self.tileRows, queries.length) * stride])
        forEachHead { sample, head, plane in
            zeroUnseenKeys(of: gradients, sample: sample, head: head)
            for first in tileStarts.reversed() {
                let rows = min(Self.tileRows, queries.length - first)
                withTile(sample: sample, head: head, firstRow: first, rows: rows) { tile in
                    backward(
                        sample, head, plane, first, rows, &tile, upstream, kept, gradients, scratch)
                }
            }
        }
        gradients.deliver()
    }

    /// The keys that no query of a sample sees get no gradient from the tiles.
    private func zeroUnseenKeys(of gradients: OperandGradients, sample: Int, head: Int) {
        let dkeys = gradients.pointer(1, sample, 0, head * headWidth)
        let dvalues = gradients.pointer(2, sample, 0, head * valueWidth)
        let mostSeen = visibleKeys(sample: sample, queryCount: queries.length)
        for row in mostSeen..<max(mostSeen, keys.length) {
            (dkeys + row * keys.rowStride).update(repeating: 0, count: headWidth)
            (dvalues + row * values.rowStride).update(repeating: 0, count: valueWidth)
        }
    }

    /// The gradients of one tile: overwrites its rows of dqueries, and adds to dkeys and dvalues.
    private func backward(
        _ sample: Int, _ head: Int, _ plane: Int, _ first: Int, _ rows: Int,
        _ tile: inout rondo_attention_tile, _ upstream: Tensor, _ kept: AttentionKept,
        _ gradients: OperandGradients, _ scratch: Tensor
    ) {
        let seen = visibleKeys(sample: sample, queryCount: first + rows)
        let beta: Float = first + rows == queries.length ? 0 : 1
        let dscores = scratch.pointer
        let dropped = dscores + scratch.shape[1]
        let dy =
            upstream.pointer
            + outputOffset(sample: sample, row: first, column: head * valueWidth)
        let visible = firstVisible(first)
        let edgeOfKeys: CausalEdge = mask.isCausal ? .rows(visible: visible) : .none
        let probabilities: UnsafeMutablePointer<Float>
        if let all = kept.probabilities {
            probabilities = all.pointer + plane * planeCount + first * stride
        } else {
            probabilities = dropped + scratch.shape[1]
            products(sample, head, first, rows, seen, into: probabilities)
            rondo_attention_probabilities(
                probabilities, kept.statistics.pointer + 2 * (plane * queries.length + first),
                &tile)
        }
        matrixProduct(
            dy, values.pointer(sample, 0, head * valueWidth), transposeB: true, into: dscores,
            m: rows, n: seen, k: valueWidth, strideA: outputRowStride, strideB: values.rowStride,
            strideC: stride, edge: mask.isCausal ? .columns(visible: visible) : .none)
        if hasDropout { rondo_attention_dropout(dropped, probabilities, &tile) }
        matrixProduct(
            hasDropout ? dropped : probabilities, transposeA: true, dy,
            into: gradients.pointer(2, sample, 0, head * valueWidth), m: seen, n: valueWidth,
            k: rows, beta: beta, strideA: stride, strideB: outputRowStride,
            strideC: values.rowStride, edge: edgeOfKeys)
        rondo_attention_gradient(dscores, probabilities, &tile)
        matrixProduct(
            dscores, keys.pointer(sample, 0, head * headWidth),
            into: gradients.pointer(0, sample, first, head * headWidth), m: rows, n: headWidth,
            k: seen, strideA: stride, strideB: keys.rowStride, strideC: queries.rowStride,
            edge: mask.isCausal ? .steps(visible: visible) : .none)
        matrixProduct(
            dscores, transposeA: true, queries.pointer(sample, first, head * headWidth),
            into: gradients.pointer(1, sample, 0, head * headWidth), m: seen, n: headWidth,
            k: rows, beta: beta, strideA: stride, strideB: queries.rowStride,
            strideC: keys.rowStride, edge: edgeOfKeys)
    }

    private func products(
        _ sample: Int, _ head: Int, _ first: Int, _ rows: Int, _ seen: Int,
        into scores: UnsafeMutablePointer<Float>
    ) {
        matrixProduct(
            queries.pointer(sample, first, head * headWidth),
            keys.pointer(sample, 0, head * headWidth), transposeB: true, into: scores, m: rows,
            n: seen, k: headWidth, strideA: queries.rowStride, strideB: keys.rowStride,
            strideC: stride, edge: mask.isCausal ? .columns(visible: firstVisible(first)) : .none)
    }

    private var outputRowStride: Int {
        heads * valueWidth * (queries.layout == .batchFirst ? 1 : samples)
    }

    private func outputOffset(sample: Int, row: Int, column: Int) -> Int {
        let width = heads * valueWidth
        let sampleStride = queries.layout == .batchFirst ? queries.length * width : width
        return sample * sampleStride + row * outputRowStride + column
    }
}
