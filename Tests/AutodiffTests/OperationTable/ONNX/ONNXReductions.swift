import Autodiff
import Tensors

private func reduction(
    _ operation: @escaping @Sendable (Variable, [Int]?, Bool) -> Variable
) -> ONNXOperator {
    { call in
        let axes = call.has(1) ? try call.integers(1) : try call.node.integers("axes")
        let keep = try call.node.integer("keepdims", 1) != 0
        if axes?.isEmpty ?? true, try call.node.integer("noop_with_empty_axes", 0) != 0 {
            // Every element alone; only what the operation does to it remains.
            return [try call.result(operation(call.x(), [], keep))]
        }
        return [try call.result(operation(call.x(), axes?.isEmpty ?? true ? nil : axes, keep))]
    }
}

/// Extrema over nothing are refused by ours.
private func extremum(
    _ operation: @escaping @Sendable (Variable, [Int]?, Bool) -> Variable
) -> ONNXOperator {
    let reduce = reduction(operation)
    return { call in
        guard try call.tensor(0).values.count > 0 else {
            throw ONNXExclusion("our extrema refuse to reduce no elements")
        }
        return try reduce(call)
    }
}

private func place(_ operation: @escaping @Sendable (Tensor, Int, Bool) -> Indices) -> ONNXOperator
{
    { call in
        let x = try call.x()
        let axis = try call.axis(try call.node.integer("axis", 0), rank: x.shape.rank)
        let keep = try call.node.integer("keepdims", 1) != 0
        guard try call.node.integer("select_last_index", 0) != 0 else {
            return [call.result(operation(x.value, axis, keep))]
        }
        let flipped = operation(flip(x, axes: [axis]).value, axis, keep)
        return [
            call.result(
                Indices(flipped.values.map { Int32(x.shape[axis] - 1) - $0 }, flipped.shape))
        ]
    }
}

private func rowwise(_ operation: @escaping @Sendable (Variable) -> Variable) -> ONNXOperator {
    { call in
        let x = try call.x()
        let axis = try call.axis(try call.node.integer("axis", -1), rank: x.shape.rank)
        return [try call.result(alongLast(x, axis, operation))]
    }
}

enum ONNXReductions {
    static let operators: [String: ONNXOperator] = [
        "ReduceSum": reduction { sum($0, axes: $1, keepDimensions: $2) },
        "ReduceMean": reduction { mean($0, axes: $1, keepDimensions: $2) },
        "ReduceMax": extremum { max($0, axes: $1, keepDimensions: $2) },
        "ReduceMin": extremum { min($0, axes: $1, keepDimensions: $2) },
        "ReduceL1": reduction { norm($0, .one, axes: $1, keepDimensions: $2) },
        "ReduceL2": reduction { norm($0, .two, axes: $1, keepDimensions: $2) },
        "ReduceSumSquare": reduction { sum(square($0), axes: $1, keepDimensions: $2) },
        "ReduceLogSum": reduction { log(sum($0, axes: $1, keepDimensions: $2)) },
        "ReduceLogSumExp": extremum { logSumExp($0, axes: $1, keepDimensions: $2) },
        "ArgMax": place { argmax($0, axis: $1, keepDimensions: $2) },
        "ArgMin": place { argmin($0, axis: $1, keepDimensions: $2) },
        "Softmax": rowwise(softmax), "LogSoftmax": rowwise(logSoftmax),
        "Hardmax": rowwise { x in
            x.tape.constant(oneHot(argmax(x.value), size: x.shape.columns))
        },
        "LpNormalization": { call in
            let x = try call.x()
            let order: NormOrder = try call.node.integer("p", 2) == 1 ? .one : .two
            let axis = try call.node.integer("axis", -1)
            // Zeros stay zeros.
            let smallest = call.tape.constant(Tensor.full([], .leastNormalMagnitude))
            let length = norm(x, order, axes: [axis], keepDimensions: true)
            return [try call.result(x / maximum(length, smallest))]
        },
        "MeanVarianceNormalization": { call in
            let x = try call.x()
            let axes = try call.node.integers("axes") ?? [0, 2, 3]
            let centred = x - mean(x, axes: axes, keepDimensions: true)
            let deviation = sqrt(variance(x, axes: axes, correction: 0, keepDimensions: true))
            return [try call.result(centred / (deviation + 1e-9))]
        },
        "CumSum": { call in
            let x = try call.x()
            let axis = try call.axis(Int(try call.number(1)), rank: x.shape.rank)
            let y = cumsum(
                x, axis: axis, reverse: try call.node.integer("reverse", 0) != 0,
                exclusive: try call.node.integer("exclusive", 0) != 0)
            return [try call.result(y)]
        },
        "NegativeLogLikelihoodLoss": { call in
            let (loss, _) = try crossEntropy(call, call.x(0))
            return [try call.result(loss)]
        },
        "SoftmaxCrossEntropyLoss": { call in
            let scores = alongLast(try call.x(0), 1, logSoftmax)
            let (loss, _) = try crossEntropy(call, scores)
            return [try call.result(loss), try call.result(scores)]
        },
    ]

    /// -weight * x[label] at every position, by gather; ignored labels get weight 0.
    private static func crossEntropy(
        _ call: ONNXCall, _ scores: Variable
    ) throws -> (loss: Variable, weights: Variable) {
        let labels = try call.integers(1)
        let classes = scores.shape[1]
        let ignored = try call.node.integer("ignore_index", Int.min)
        let shape = Shape(try call.tensor(1).shape)
        let safe = labels.map { label in Int32(label == ignored ? 0 : label) }
        let wide = Shape([shape[0], 1] + shape.dimensions.dropFirst())
        let picked = reshape(gather(scores, Indices(safe, wide), axis: 1), shape)
        let table = call.has(2) ? try call.x(2) : call.tape.constant(Tensor.full([classes], 1))
        let kept = Tensor(labels.map { $0 == ignored ? 0 : 1 }, shape)
        let weights = indexSelect(table, Indices(safe, shape)) * call.tape.constant(kept)
        let losses = -(picked * weights)
        switch call.node.string("reduction", "mean") {
        case "none": return (losses, weights)
        case "sum": return (sum(losses), weights)
        default: return (sum(losses) / sum(weights), weights)
        }
    }
}
