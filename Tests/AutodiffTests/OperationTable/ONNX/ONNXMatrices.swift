import Autodiff
import Tensors

enum ONNXMatrices {
    static let operators: [String: ONNXOperator] = [
        "MatMul": { call in [try call.result(matmul(call.x(0), call.x(1)))] },
        "Gemm": { call in
            let product = matmul(
                try call.x(0), transposeA: try call.node.integer("transA", 0) != 0, try call.x(1),
                transposeB: try call.node.integer("transB", 0) != 0)
            var y = product * call.node.float("alpha", 1)
            if call.has(2) { y = y + (try call.x(2)) * call.node.float("beta", 1) }
            return [try call.result(y)]
        },
        "Attention": attention,
        "Dropout": { call in
            guard try !call.has(2) || call.number(2) == 0 else {
                throw ONNXExclusion("dropout in training: other random numbers")
            }
            let x = try call.x()
            let y = dropout(x, probability: call.has(1) ? Float(try call.number(1)) : 0.5)
            return [
                try call.result(y), try call.result(Tensor.full(x.shape, 1), .bool),
            ]
        },
        "LayerNormalization": { call in
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", -1), rank: x.shape.rank)
            let axes = Array(axis..<x.shape.rank)
            let middle = mean(x, axes: axes, keepDimensions: true)
            let spread = variance(x, axes: axes, correction: 0, keepDimensions: true)
            let inverse = rsqrt(spread + call.node.float("epsilon", 1e-5))
            let normalized = Shape(Array(x.shape.dimensions[axis...]))
            func matching(_ place: Int) throws -> Parameter? {
                call.has(place)
                    ? Parameter(broadcast(try call.x(place), to: normalized).value) : nil
            }
            let y = layerNormalization(
                x, normalized: normalized, weight: try matching(1), bias: try matching(2),
                epsilon: call.node.float("epsilon", 1e-5))
            return [try call.result(y), try call.result(middle), try call.result(inverse)]
        },
        "RMSNormalization": { call in
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", -1), rank: x.shape.rank)
            let squares = mean(square(x), axes: Array(axis..<x.shape.rank), keepDimensions: true)
            let inverse = rsqrt(squares + call.node.float("epsilon", 1e-5))
            return [try call.result(x * inverse * call.x(1))]
        },
        "GroupNormalization": { call in
            let x = try call.x()
            let order = [0] + Array(2..<x.shape.rank) + [1]
            let back = [0, x.shape.rank - 1] + Array(1..<x.shape.rank - 1)
            let y = groupNormalization(
                permute(x, order), groups: try call.node.integer("num_groups", 1),
                weight: try call.parameter(1), bias: try call.parameter(2),
                epsilon: call.node.float("epsilon", 1e-5))
            return [try call.result(permute(y, back))]
        },
        "InstanceNormalization": { call in
            let x = try call.x()
            let order = [0] + Array(2..<x.shape.rank) + [1]
            let back = [0, x.shape.rank - 1] + Array(1..<x.shape.rank - 1)
            let y = groupNormalization(
                permute(x, order), groups: x.shape[1], weight: try call.parameter(1),
                bias: try call.parameter(2), epsilon: call.node.float("epsilon", 1e-5))
            return [try call.result(permute(y, back))]
        },
        "BatchNormalization": { call in
            guard try call.node.integer("training_mode", 0) == 0 else {
                throw ONNXExclusion("batch norm in training: our statistics are those of a run")
            }
            let x = try call.x()
            let order = [0] + Array(2..<x.shape.rank) + [1]
            let back = [0, x.shape.rank - 1] + Array(1..<x.shape.rank - 1)
            let y = batchNormalization(
                permute(x, order), weight: try call.parameter(1), bias: try call.parameter(2),
                runningMean: RunningStatistic(try call.x(3).value, momentum: 0.1),
                runningVariance: RunningStatistic(try call.x(4).value, momentum: 0.1),
                epsilon: call.node.float("epsilon", 1e-5))
            return [try call.result(permute(y, back))]
        },
    ]

    /// ONNX's attention in our matrix products and softmax: queries [N, heads, T, width], or
    /// [N, T, heads * width] with the heads in attributes.
    private static let attention: ONNXOperator = { call in
        let isFlat = try call.tensor(0).shape.count == 3
        func heads(_ place: Int, _ attribute: String) throws -> Variable {
            let x = try call.x(place)
            guard isFlat else { return x }
            let count = try call.node.integer(attribute, 1)
            let shape = x.shape
            return permute(
                reshape(x, [shape[0], shape[1], count, shape[2] / count]), [0, 2, 1, 3])
        }
        let queries = try heads(0, "q_num_heads")
        var keys = try heads(1, "kv_num_heads")
        var values = try heads(2, "kv_num_heads")
        guard !call.has(6) else { throw ONNXExclusion("attention with lengths of keys") }
        if call.has(4) { keys = concat([try call.x(4), keys], axis: 2) }
        if call.has(5) { values = concat([try call.x(5), values], axis: 2) }
        let present = (keys, values)
        // Grouped queries: each key head serves several query heads.
        let group = queries.shape[1] / keys.shape[1]
        func widened(_ x: Variable) -> Variable {
            let shape = x.shape
            let wide = broadcast(
                unsqueeze(x, axis: 2), to: [shape[0], shape[1], group, shape[2], shape[3]])
            return reshape(wide, [shape[0], shape[1] * group, shape[2], shape[3]])
        }
        if group > 1 {
            keys = widened(keys)
            values = widened(values)
        }
        let scale = call.node.float("scale", 1 / Float(queries.shape[3]).squareRoot())
        var scores = matmul(queries, keys, transposeB: true) * scale
        let raw = scores
        let hidden = -Float.infinity
        let softcap = call.node.float("softcap", 0)
        let rows = scores.shape[2]
        let columns = scores.shape[3]
        if softcap > 0 { scores = tanh(scores / softcap) * softcap }
        let capped = scores
        if call.has(3) {
            var mask = try call.x(3)
            let missing = columns - mask.shape.columns
            if missing > 0 {
                var widths = [(before: Int, after: Int)](
                    repeating: (0, 0), count: mask.shape.rank)
                widths[mask.shape.rank - 1].after = missing
                mask = pad(mask, widths, value: try call.tensor(3).element == .bool ? 0 : hidden)
            }
            if try call.tensor(3).element == .bool {
                let unseen = call.tape.constant(logicalNot(mask.value))
                scores = maskedFill(
                    scores, broadcast(unseen, to: scores.shape).value, value: hidden)
            } else {
                scores = scores + mask
            }
        }
        if try call.node.integer("is_causal", 0) != 0 {
            let past = call.has(4) ? try call.tensor(4).shape[2] : 0
            let last = call.tape.constant(Tensor.arange(rows).reshaped([rows, 1])) + Float(past)
            scores = maskedFill(scores, greater(Tensor.arange(columns), last.value), value: hidden)
        }
        let masked = scores
        let weights = softmax(scores)
        var y = matmul(weights, values)
        if isFlat {
            let shape = y.shape
            y = reshape(permute(y, [0, 2, 1, 3]), [shape[0], shape[2], shape[1] * shape[3]])
        }
        let mode = try call.node.integer("qk_matmul_output_mode", 0)
        let shown = mode == 0 ? raw : mode == 1 ? capped : mode == 2 ? masked : weights
        return [
            try call.result(y), try call.result(present.0), try call.result(present.1),
            try call.result(shown),
        ]
    }
}
