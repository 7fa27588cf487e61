import Autodiff
import Tensors

enum ONNXMovement {
    static let operators: [String: ONNXOperator] = shapes.merging(
        pieces.merging(indexing, uniquingKeysWith: { $1 }), uniquingKeysWith: { $1 })

    private static func axes(_ call: ONNXCall) throws -> [Int]? {
        call.has(1) ? try call.integers(1) : try call.node.integers("axes")
    }

    private static let shapes: [String: ONNXOperator] = [
        "Reshape": { call in
            let x = try call.x()
            var sizes = try call.integers(1)
            if try call.node.integer("allowzero", 0) == 0 {
                for place in sizes.indices where sizes[place] == 0 { sizes[place] = x.shape[place] }
            }
            if let free = sizes.firstIndex(of: -1) {
                let known = sizes.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
                sizes[free] = known == 0 ? 0 : x.value.count / known
            }
            return [try call.result(reshape(x, Shape(sizes)))]
        },
        "Flatten": { call in
            let x = try call.x()
            var axis = try call.node.integer("axis", 1)
            if axis < 0 { axis += x.shape.rank }
            let rows = x.shape.dimensions.prefix(axis).reduce(1, *)
            let columns = x.shape.dimensions.dropFirst(axis).reduce(1, *)
            return [try call.result(reshape(x, [rows, columns]))]
        },
        "Squeeze": { call in [try call.result(squeeze(call.x(), axes: axes(call)))] },
        "Unsqueeze": { call in
            var y = try call.x()
            let places = try axes(call) ?? []
            let rank = y.shape.rank + places.count
            for axis in places.map({ $0 < 0 ? $0 + rank : $0 }).sorted() {
                y = unsqueeze(y, axis: axis)
            }
            return [try call.result(y)]
        },
        "Transpose": { call in
            let x = try call.x()
            let order = try call.node.integers("perm") ?? Array((0..<x.shape.rank).reversed())
            return [try call.result(permute(x, order))]
        },
        "Expand": { call in
            let x = try call.x()
            let shape = Shape(DoubleArray.broadcastShape(x.shape.dimensions, try call.integers(1)))
            return [try call.result(broadcast(x, to: shape))]
        },
        "Tile": { call in [try call.result(tile(call.x(), call.integers(1)))] },
        "Shape": { call in
            let sizes = try call.tensor(0).shape
            let rank = sizes.count
            func bound(_ value: Int) -> Int {
                Swift.min(Swift.max(value < 0 ? value + rank : value, 0), rank)
            }
            let start = bound(try call.node.integer("start", 0))
            let end = bound(try call.node.integer("end", rank))
            let part = start < end ? Array(sizes[start..<end]) : []
            return [ONNXTensor([part.count], .int64, part.map(Double.init))]
        },
        "Size": { call in
            [ONNXTensor([], .int64, [Double(try call.tensor(0).values.count)])]
        },
    ]

    private static let pieces: [String: ONNXOperator] = [
        "Concat": { call in
            [try call.result(concat(call.xs(), axis: call.node.integer("axis", 0)))]
        },
        "Split": { call in
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", 0), rank: x.shape.rank)
            let size = x.shape[axis]
            var sizes: [Int]
            if call.has(1) {
                sizes = try call.integers(1)
            } else {
                let count = try call.node.integer("num_outputs", call.node.outputs.count)
                let each = (size + count - 1) / count
                sizes = (0..<count).map { Swift.min(each, Swift.max(size - $0 * each, 0)) }
            }
            return try split(x, sizes: sizes, axis: axis).map { try call.result($0) }
        },
        "Slice": { call in
            var y = try call.x()
            let starts = try call.integers(1)
            let ends = try call.integers(2)
            let axes = call.has(3) ? try call.integers(3) : Array(starts.indices)
            let steps = call.has(4) ? try call.integers(4) : starts.map { _ in 1 }
            for place in starts.indices {
                let axis = try call.axis(axes[place], rank: y.shape.rank)
                let size = y.shape[axis]
                let step = steps[place]
                let low = step > 0 ? 0 : -1
                let high = step > 0 ? size : size - 1
                func bound(_ value: Int) -> Int {
                    Swift.min(Swift.max(value < 0 ? value + size : value, low), high)
                }
                let start = bound(starts[place])
                let end = bound(ends[place])
                let count = Swift.max(0, (end - start + step - (step > 0 ? 1 : -1)) / step)
                y = slice(y, axis: axis, from: start, count: count, step: step)
            }
            return [try call.result(y)]
        },
        "Pad": { call in
            let x = try call.x()
            guard call.node.string("mode", "constant") == "constant" else {
                throw ONNXExclusion("padding by reflection, edge or wrapping")
            }
            let widths = try call.integers(1)
            let axes = call.has(3) ? try call.integers(3) : Array(0..<x.shape.rank)
            var pairs = [(before: Int, after: Int)](repeating: (0, 0), count: x.shape.rank)
            for (place, axis) in axes.enumerated() {
                pairs[try call.axis(axis, rank: x.shape.rank)] = (
                    widths[place], widths[place + axes.count]
                )
            }
            guard pairs.allSatisfy({ $0.before >= 0 && $0.after >= 0 }) else {
                throw ONNXExclusion("negative padding")
            }
            let value = call.has(2) ? Float(try call.number(2)) : 0
            return [try call.result(pad(x, pairs, value: value))]
        },
        "EyeLike": { call in
            let shape = try call.tensor(0).shape
            let code = try call.node.integer("dtype", try call.element().rawValue)
            let eye = Tensor.eye(shape[0], shape[1], diagonal: try call.node.integer("k", 0))
            return [try call.result(eye, ONNXTensor.Element(rawValue: code))]
        },
        "Range": { call in
            let y = Tensor.arange(
                Float(try call.number(0)), Float(try call.number(1)),
                step: Float(try call.number(2)))
            return [try call.result(y)]
        },
        "ConstantOfShape": { call in
            let value = try call.node.tensor("value")
            let y = Tensor.full(Shape(try call.integers(0)), Float(value?.values.first ?? 0))
            return [try call.result(y, value?.element ?? .float)]
        },
        "Trilu": { call in
            let x = try call.x()
            let k = call.has(1) ? Int(try call.number(1)) : 0
            let rows = Tensor.arange(x.shape[x.shape.rank - 2]).reshaped([
                x.shape[x.shape.rank - 2], 1,
            ])
            let columns = Tensor.arange(x.shape.columns)
            let limit = call.tape.constant(rows) + Float(k)
            let hidden =
                try call.node.integer("upper", 1) != 0
                ? less(columns, limit.value) : greater(columns, limit.value)
            return [try call.result(maskedFill(x, hidden, value: 0))]
        },
    ]

    private static let indexing: [String: ONNXOperator] = [
        "Gather": { call in
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", 0), rank: x.shape.rank)
            let indices = try call.indices(1, size: x.shape[axis])
            return [try call.result(indexSelect(x, indices, axis: axis))]
        },
        "GatherElements": { call in
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", 0), rank: x.shape.rank)
            let indices = try call.indices(1, size: x.shape[axis])
            return [try call.result(gather(x, indices, axis: axis))]
        },
        "ScatterElements": { call in
            guard call.node.string("reduction", "none") == "add" else {
                throw ONNXExclusion("scatter that overwrites, multiplies or takes extrema")
            }
            let x = try call.x()
            let axis = try call.axis(try call.node.integer("axis", 0), rank: x.shape.rank)
            let indices = try call.indices(1, size: x.shape[axis])
            return [try call.result(scatterAdd(x, indices, call.x(2), axis: axis))]
        },
        "OneHot": { call in
            let size = Int(try call.number(1))
            let values = try call.tensor(2)
            let places = try call.tensor(0).values
            guard places.allSatisfy({ Int($0) >= -size && Int($0) < size }) else {
                throw ONNXExclusion("our one-hot refuses indices outside the range")
            }
            let hot = call.tape.constant(oneHot(try call.indices(0, size: size), size: size))
            var y = hot * Float(values.values[1] - values.values[0]) + Float(values.values[0])
            let axis = try call.axis(try call.node.integer("axis", -1), rank: y.shape.rank)
            var order = Array(0..<y.shape.rank - 1)
            order.insert(y.shape.rank - 1, at: axis)
            y = permute(y, order)
            return [try call.result(y, values.element)]
        },
    ]
}
