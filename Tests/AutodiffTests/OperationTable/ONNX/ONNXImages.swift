import Autodiff
import Tensors

// Convolutions and pools. ONNX's images are N x C x H x W, ours N x H x W x C; one dimension is an
// image of height 1. Unequal padding is added beforehand by `pad`.

enum ONNXImages {
    static let operators: [String: ONNXOperator] = [
        "Conv": convolution, "ConvTranspose": transposedConvolution, "MaxPool": maxPool,
        "AveragePool": averagePool,
        "GlobalAveragePool": { call in
            let x = try call.x()
            let axes = Array(2..<x.shape.rank)
            guard x.shape.rank == 4 else {
                return [try call.result(mean(x, axes: axes, keepDimensions: true))]
            }
            let y = globalAveragePool(permute(x, [0, 2, 3, 1]))
            return [try call.result(permute(y, [0, 3, 1, 2]))]
        },
        "GlobalMaxPool": { call in
            let x = try call.x()
            return [
                try call.result(max(x, axes: Array(2..<x.shape.rank), keepDimensions: true))
            ]
        },
    ]

    /// The window of a node over an image, all lists two long.
    private struct Window {
        var kernel: [Int], stride: [Int], before: [Int], after: [Int]
        /// Added after the padding so that the last window, begun inside, is whole.
        var extra = [0, 0]
    }

    private static func image(_ x: Variable) throws -> Variable {
        guard x.shape.rank == 3 || x.shape.rank == 4 else {
            throw ONNXExclusion("images of \(x.shape.rank - 2) dimensions")
        }
        return permute(x.shape.rank == 3 ? unsqueeze(x, axis: 2) : x, [0, 2, 3, 1])
    }

    private static func restored(_ y: Variable, rank: Int) -> Variable {
        let image = permute(y, [0, 3, 1, 2])
        return rank == 3 ? squeeze(image, axes: [2]) : image
    }

    private static func window(
        _ call: ONNXCall, kernel: [Int], sizes: [Int]
    ) throws -> Window {
        guard try call.node.integers("dilations")?.allSatisfy({ $0 == 1 }) ?? true else {
            throw ONNXExclusion("dilated windows")
        }
        let spatial = kernel.count
        guard spatial <= 2 else { throw ONNXExclusion("images of \(spatial) dimensions") }
        let stride = try call.node.integers("strides") ?? kernel.map { _ in 1 }
        var before = [Int](repeating: 0, count: spatial)
        var after = before
        switch call.node.string("auto_pad", "NOTSET") {
        case "SAME_UPPER", "SAME_LOWER":
            for place in 0..<spatial {
                let outputs = (sizes[place] + stride[place] - 1) / stride[place]
                let total = Swift.max(
                    0, (outputs - 1) * stride[place] + kernel[place] - sizes[place])
                let isUpper = call.node.string("auto_pad", "") == "SAME_UPPER"
                before[place] = isUpper ? total / 2 : total - total / 2
                after[place] = total - before[place]
            }
        case "VALID": break
        default:
            if let pads = try call.node.integers("pads"), !pads.isEmpty {
                before = Array(pads[..<spatial])
                after = Array(pads[spatial...])
            }
        }
        var window = Window(kernel: kernel, stride: stride, before: before, after: after)
        if try call.node.integer("ceil_mode", 0) != 0 {
            window.extra = (0..<spatial).map { place in
                let whole = sizes[place] + before[place] + after[place]
                var outputs = (whole - kernel[place] + stride[place] - 1) / stride[place] + 1
                // A window must begin inside the image or the padding before it.
                if (outputs - 1) * stride[place] >= sizes[place] + before[place] { outputs -= 1 }
                return Swift.max(0, (outputs - 1) * stride[place] + kernel[place] - whole)
            }
        }
        if spatial == 1 {
            window.kernel.insert(1, at: 0)
            window.stride.insert(1, at: 0)
            window.before.insert(0, at: 0)
            window.after.insert(0, at: 0)
            window.extra = [0] + window.extra.prefix(1)
        }
        return window
    }

    private static func padded(
        _ image: Variable, _ before: [Int], _ after: [Int], value: Float
    ) -> Variable {
        if (before + after).allSatisfy({ $0 == 0 }) { return image }
        return pad(
            image, [(0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)], value: value)
    }

    private static let convolution: ONNXOperator = { call in
        let x = try call.x()
        var weight = try call.x(1)
        let window = try window(
            call, kernel: Array(weight.shape.dimensions[2...]),
            sizes: Array(x.shape.dimensions[2...]))
        if weight.shape.rank == 3 { weight = unsqueeze(weight, axis: 2) }
        let image = padded(try image(x), window.before, window.after, value: 0)
        let y = convolution2d(
            image, weight: Parameter(weight.value), bias: call.has(2) ? try call.parameter(2) : nil,
            stride: .init(window.stride[0], window.stride[1]),
            groups: try call.node.integer("group", 1))
        return [try call.result(restored(y, rank: x.shape.rank))]
    }

    /// The whole of what the windows cover, cut or filled up to what ONNX wants of it.
    private static let transposedConvolution: ONNXOperator = { call in
        let x = try call.x()
        var weight = try call.x(1)
        let spatial = x.shape.rank - 2
        guard spatial <= 2 else { throw ONNXExclusion("images of \(spatial) dimensions") }
        guard try call.node.integers("dilations")?.allSatisfy({ $0 == 1 }) ?? true else {
            throw ONNXExclusion("dilated windows")
        }
        let kernel = Array(weight.shape.dimensions[2...])
        let stride = try call.node.integers("strides") ?? kernel.map { _ in 1 }
        let extra = try call.node.integers("output_padding") ?? kernel.map { _ in 0 }
        let pads = try call.node.integers("pads") ?? (kernel + kernel).map { _ in 0 }
        var wanted = try call.node.integers("output_shape")
        let automatic = call.node.string("auto_pad", "NOTSET")
        if automatic.hasPrefix("SAME"), wanted == nil {
            wanted = (0..<spatial).map { x.shape[2 + $0] * stride[$0] }
        }
        if weight.shape.rank == 3 { weight = unsqueeze(weight, axis: 2) }
        let group = try call.node.integer("group", 1)
        var y = transposedConvolution2d(
            try image(x), weight: Parameter(weight.value), bias: nil,
            stride: .init(spatial == 2 ? stride[0] : 1, stride[spatial - 1]), groups: group)
        for place in 0..<spatial {
            let axis = 1 + place + (2 - spatial)
            let size = y.shape[axis]
            var before = pads[place]
            var length = size + extra[place] - pads[place] - pads[spatial + place]
            if let wanted {
                let total = Swift.max(0, size + extra[place] - wanted[place])
                before = automatic == "SAME_UPPER" ? total / 2 : total - total / 2
                length = wanted[place]
            }
            let missing = Swift.max(0, before + length - size)
            var sides = [(Int, Int)](repeating: (0, 0), count: 4)
            sides[axis] = (0, missing)
            if missing > 0 { y = pad(y, sides, value: 0) }
            y = slice(y, axis: axis, before..<before + length)
        }
        if call.has(2) { y = y + (try call.x(2)) }
        return [try call.result(restored(y, rank: x.shape.rank))]
    }

    private static let maxPool: ONNXOperator = { call in
        guard call.node.outputs.count == 1 else { throw ONNXExclusion("places of the maxima") }
        let x = try call.x()
        let window = try window(
            call, kernel: try call.node.integers("kernel_shape") ?? [],
            sizes: Array(x.shape.dimensions[2...]))
        let after = zip(window.after, window.extra).map { $0 + $1 }
        let image = padded(try image(x), window.before, after, value: -.infinity)
        let y = maxPool2d(
            image, kernel: .init(window.kernel[0], window.kernel[1]),
            stride: .init(window.stride[0], window.stride[1]))
        return [try call.result(restored(y, rank: x.shape.rank))]
    }

    /// Ours counts padding; the quotient by the same pool of a mask counts what ONNX counts.
    private static let averagePool: ONNXOperator = { call in
        let x = try call.x()
        let window = try window(
            call, kernel: try call.node.integers("kernel_shape") ?? [],
            sizes: Array(x.shape.dimensions[2...]))
        let countsPadding = try call.node.integer("count_include_pad", 0) != 0
        func pooled(_ image: Variable, counting: Bool) -> Variable {
            let inner = padded(image, window.before, window.after, value: counting ? 1 : 0)
            return averagePool2d(
                padded(inner, [0, 0], window.extra, value: 0),
                kernel: .init(window.kernel[0], window.kernel[1]),
                stride: .init(window.stride[0], window.stride[1]))
        }
        let image = try image(x)
        let ones = call.tape.constant(Tensor.full(image.shape, 1))
        let y = pooled(image, counting: false) / pooled(ones, counting: countsPadding)
        return [try call.result(restored(y, rank: x.shape.rank))]
    }
}
