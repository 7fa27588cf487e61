import Autodiff
import NeuralNetworks
import Tensors

// Recurrent layers. ONNX's gates lie in another order than ours (LSTM i o f c, ours i f g o; GRU z
// r h, ours r z n), both directions lie in one tensor, and the output has a dimension for them.

enum ONNXRecurrent {
    static let operators: [String: ONNXOperator] = [
        "RNN": { call in try run(call, gates: [0], activation: "Tanh") },
        "LSTM": { call in
            guard !call.has(7) else { throw ONNXExclusion("LSTM with peepholes") }
            guard try call.node.integer("input_forget", 0) == 0 else {
                throw ONNXExclusion("LSTM with coupled gates")
            }
            return try run(call, gates: [0, 2, 3, 1], activation: "Sigmoid")
        },
        "GRU": { call in
            guard try call.node.integer("linear_before_reset", 0) == 1 else {
                throw ONNXExclusion("GRU that resets before the product; ours is PyTorch's")
            }
            return try run(call, gates: [1, 0, 2], activation: "Sigmoid")
        },
    ]

    /// - Parameter gates: for each of our gates, which of ONNX's it is.
    private static func run(
        _ call: ONNXCall, gates: [Int], activation: String
    ) throws -> [ONNXTensor] {
        let activations = call.node.strings("activations") ?? []
        let isReLU = gates.count == 1 && activations == ["Relu"]
        guard !call.node.has("clip"), isReLU || (activations.first ?? activation) == activation
        else { throw ONNXExclusion("recurrent layers with other activations or a clip") }
        let direction = call.node.string("direction", "forward")
        let batchFirst = try call.node.integer("layout", 0) == 1
        let weight = try call.x(1)
        let (directions, units) = (weight.shape[0], weight.shape[1] / gates.count)
        var x = try call.x()
        if batchFirst { x = permute(x, [1, 0, 2]) }
        let lengths = call.has(4) ? try call.integers(4).map { Int32($0) } : nil
        let isReversed = direction == "reverse"
        if isReversed {
            guard lengths == nil else { throw ONNXExclusion("lengths from the end") }
            x = flip(x, axes: [0])
        }
        let options = RecurrentOptions(bidirectional: directions == 2)
        var stream = InitializationStream(seed: 1)
        let layer = layer(x.shape[2], units, gates: gates.count, isReLU: isReLU, options, &stream)
        try fill(layer, call, weight, gates, units)

        /// [D, N, H], or [N, D, H] where the batch comes first, by direction.
        func states(_ place: Int) throws -> [Variable]? {
            guard call.has(place) else { return nil }
            let all = try call.x(place)
            return (0..<directions).map {
                reshape(slice(all, axis: batchFirst ? 1 : 0, $0..<$0 + 1), [x.shape[1], units])
            }
        }
        let hidden = try states(5)
        let cells = gates.count == 4 ? try states(6) : nil
        let zeros = x.tape.constant(Tensor(zeros: [x.shape[1], units]))
        let initial = (0..<directions).map {
            RecurrentState(
                hidden: hidden?[$0] ?? zeros, cell: gates.count == 4 ? cells?[$0] ?? zeros : nil)
        }
        let result = layer(x, initial: initial, lengths: lengths)
        var y = reshape(result.output, [x.shape[0], x.shape[1], directions, units])
        if isReversed { y = flip(y, axes: [0]) }
        let stackAxis = batchFirst ? 1 : 0
        var outputs = [
            try call.result(permute(y, batchFirst ? [1, 0, 2, 3] : [0, 2, 1, 3])),
            try call.result(stack(result.final.map(\.hidden), axis: stackAxis)),
        ]
        if gates.count == 4 {
            outputs.append(
                try call.result(stack(result.final.compactMap(\.cell), axis: stackAxis)))
        }
        return outputs
    }

    private static func layer(
        _ inputs: Int, _ units: Int, gates: Int, isReLU: Bool, _ options: RecurrentOptions,
        _ stream: inout InitializationStream
    ) -> any RecurrentLayer {
        switch gates {
        case 1:
            RNN(
                inputs, units, activation: isReLU ? .relu : .tanh, options: options,
                stream: &stream)
        case 3: GRU(inputs, units, options: options, stream: &stream)
        default: LSTM(inputs, units, options: options, stream: &stream)
        }
    }

    /// Copies ONNX's weights into the layer's parameters, gate by gate.
    private static func fill(
        _ layer: any RecurrentLayer, _ call: ONNXCall, _ weight: Variable, _ gates: [Int],
        _ units: Int
    ) throws {
        let sources: [String: (tensor: Tensor?, firstRow: Int)] = [
            "weight_ih": (weight.value, 0), "weight_hh": (try call.x(2).value, 0),
            "bias_ih": (call.has(3) ? try call.x(3).value : nil, 0),
            "bias_hh": (call.has(3) ? try call.x(3).value : nil, gates.count * units),
        ]
        for case .parameter(let name, let parameter) in layer.namedStates {
            let kind = String(name.prefix { $0 != "l" }.dropLast())
            guard let (tensor, firstRow) = sources[kind] else {
                throw ONNXExclusion("parameter \(name)")
            }
            let rowCount = parameter.shape.rank == 1 ? 1 : parameter.shape[1]
            let perDirection = tensor.map { $0.count / $0.shape[0] } ?? 0
            let start = name.hasSuffix("_reverse") ? perDirection : 0
            for (ours, theirs) in gates.enumerated() {
                let count = units * rowCount
                let destination = parameter.value.pointer + ours * count
                if let tensor {
                    destination.update(
                        from: tensor.pointer + start + firstRow * rowCount + theirs * count,
                        count: count)
                } else {
                    destination.update(repeating: 0, count: count)
                }
            }
        }
    }
}
