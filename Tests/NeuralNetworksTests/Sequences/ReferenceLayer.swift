import Autodiff
import Kernels
import NeuralNetworks
import Tensors

/// A layer of ours built from a case, and the run that gives everything PyTorch stored about it.
struct ReferenceLayer {
    typealias Forward = ([String: Variable], Tape) -> [(name: String, value: Variable)]

    let module: any Module
    /// Differentiated inputs by name.
    let inputs: [String: Tensor]
    let forward: Forward

    init(_ reference: ReferenceCase) throws {
        var stream = InitializationStream(seed: 1)
        let x = reference.tensor("x", Shape(reference.x))
        switch reference.layer {
        case "embedding": self = Self.embedding(reference, &stream)
        case "layerNorm", "groupNorm", "conv1d", "convTranspose2d", "linear", "conv2d", "maxPool2d",
            "averagePool2d", "globalAveragePool", "batchNorm", "activation", "flatten":
            let layer = try Self.layer(reference, &stream)
            self.init(module: layer, inputs: ["x": x]) { inputs, _ in
                [("output", layer(inputs["x"]!))]
            }
        case "sequential", "residualBlock", "dropout":
            let layer = try Self.composed(reference, &stream)
            self.init(module: layer, inputs: ["x": x]) { inputs, _ in
                [("output", layer(inputs["x"]!))]
            }
        case "bidirectional": self = Self.bidirectional(reference, x, &stream)
        case "residual", "highway":
            let layer = Self.skipped(reference, &stream)
            self.init(module: layer, inputs: ["x": x]) { inputs, _ in
                [("output", layer(inputs["x"]!))]
            }
        default:
            self =
                reference.cell == true
                ? Self.cell(reference, x, &stream) : Self.recurrent(reference, x, &stream)
        }
    }

    init(module: any Module, inputs: [String: Tensor], forward: @escaping Forward) {
        self.module = module
        self.inputs = inputs
        self.forward = forward
    }

    struct UnknownLayer: Error {
        let name: String
    }

    /// Every stored tensor, computed here; parameters and upstream gradients come from the formula.
    func run(_ reference: ReferenceCase) -> [String: [Float]] {
        var parameters: [(name: String, parameter: Parameter)] = []
        for case .parameter(let name, let parameter) in module.namedStates {
            let values = reference.tensor(name, parameter.shape, scale: 0.8)
            parameter.value.pointer.update(from: values.pointer, count: values.count)
            parameter.attachGradient()
            parameters.append((name, parameter))
        }
        let tape = Tape(
            .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 1))
        var results: [String: [Float]] = [:]
        var variables: [String: Variable] = [:]
        for (name, value) in inputs.sorted(by: { $0.key < $1.key }) {
            variables[name] = tape.input(value) { results["gradient.\(name)"] = $0.scalars }
        }
        let outputs = forward(variables, tape)
        for (name, value) in outputs {
            results[name] = value.value.scalars
            tape.addGradient(
                reference.tensor("upstream.\(name)", value.shape), to: value)
        }
        // The gradients lie at the outputs already; this only starts the walk.
        tape.backward(
            from: outputs[0].value, upstream: Tensor(zeros: outputs[0].value.shape))
        for (name, parameter) in parameters {
            results["gradient.\(name)"] = parameter.gradient?.scalars
        }
        return results
    }

    // MARK: Layers

    private static func layer(
        _ reference: ReferenceCase, _ stream: inout InitializationStream
    ) throws -> any Layer {
        let options = reference.options
        let channels = reference.x[reference.x.count - 1]
        func pair(_ values: [Int]?, _ otherwise: Int) -> ImageWindow.Pair {
            .init(values?[0] ?? otherwise, values?[1] ?? otherwise)
        }
        switch reference.layer {
        case "layerNorm":
            return LayerNorm(
                Shape(options.normalized ?? []), scaling: options.scaling ?? true,
                bias: options.bias ?? true)
        case "groupNorm": return GroupNorm(options.groups ?? 1, channels)
        case "conv1d":
            return Conv1d(
                channels, options.outputs ?? 0, kernel: options.kernel?[0] ?? 1,
                stride: options.stride?[0] ?? 1, padding: options.padding?.sides?[0] ?? 0,
                groups: options.groups ?? 1, bias: options.bias ?? true, stream: &stream)
        case "convTranspose2d":
            return ConvTranspose2d(
                channels, options.outputs ?? 0, kernel: pair(options.kernel, 1),
                stride: pair(options.stride, 1), padding: pair(options.padding?.sides, 0),
                outputPadding: pair(options.outputPadding, 0), groups: options.groups ?? 1,
                bias: options.bias ?? true, stream: &stream)
        case "linear":
            return Linear(
                channels, options.outputs ?? 0, bias: options.bias ?? true, stream: &stream)
        case "conv2d":
            return Conv2d(
                channels, options.outputs ?? 0, kernel: pair(options.kernel, 1),
                stride: pair(options.stride, 1), padding: pair(options.padding?.sides, 0),
                groups: options.groups ?? 1, bias: options.bias ?? true, stream: &stream)
        case "maxPool2d":
            return MaxPool2d(
                kernel: pair(options.kernel, 1), stride: options.stride.map { pair($0, 1) },
                padding: pair(options.padding?.sides, 0))
        case "averagePool2d":
            return AveragePool2d(
                kernel: pair(options.kernel, 1), stride: options.stride.map { pair($0, 1) },
                padding: pair(options.padding?.sides, 0))
        case "globalAveragePool": return GlobalAveragePool()
        case "batchNorm": return BatchNorm(channels)
        case "flatten": return Activation.flatten
        default:
            let name = reference.name.split(separator: "/").last.map(String.init) ?? ""
            guard let function = activations[name] else { throw UnknownLayer(name: name) }
            return Activation { function(4 * $0) }
        }
    }

    private static let activations: [String: @Sendable (Variable) -> Variable] = [
        "relu": { relu($0) }, "tanh": { tanh($0) }, "sigmoid": { sigmoid($0) },
        "leakyRelu": { leakyRelu($0, slope: 0.1) }, "elu": { elu($0, alpha: 0.5) },
        "gelu": { gelu($0, .erf) }, "geluTanh": { gelu($0, .tanh) }, "silu": { silu($0) },
        "softplus": { softplus($0) }, "logSigmoid": { logSigmoid($0) },
        "softmax": { softmax($0) }, "logSoftmax": { logSoftmax($0) },
    ]

    private static func embedding(
        _ reference: ReferenceCase, _ stream: inout InitializationStream
    ) -> ReferenceLayer {
        let options = reference.options
        let layer = Embedding(
            options.vocabulary ?? 0, options.width ?? 0, paddingIndex: options.padding?.index,
            stream: &stream)
        return ReferenceLayer(module: layer, inputs: [:]) { _, tape in
            [("output", layer(reference.tokens ?? [], shape: Shape(reference.x), tape: tape))]
        }
    }

    static func skipped(
        _ reference: ReferenceCase, _ stream: inout InitializationStream
    ) -> any RecurrentLayer {
        let units = reference.units ?? 0
        let layers: [any RecurrentLayer] = (0..<(reference.options.layers ?? 1)).map {
            LSTM($0 == 0 ? reference.inputs ?? 0 : units, units, stream: &stream)
        }
        return reference.layer == "highway"
            ? HighwayRecurrent(layers, stream: &stream) : ResidualRecurrent(layers)
    }

    private static func recurrent(
        _ reference: ReferenceCase, _ x: Tensor, _ stream: inout InitializationStream
    ) -> ReferenceLayer {
        let inputs = reference.inputs ?? 0
        let units = reference.units ?? 0
        let options = RecurrentOptions(
            layers: reference.options.layers ?? 1,
            bidirectional: reference.options.bidirectional ?? false,
            bias: reference.options.bias ?? true,
            batchFirst: reference.options.batchFirst ?? false)
        let layer: any RecurrentLayer =
            switch reference.layer {
            case "lstm": LSTM(inputs, units, options: options, stream: &stream)
            case "gru": GRU(inputs, units, options: options, stream: &stream)
            case "rnnRelu":
                RNN(inputs, units, activation: .relu, options: options, stream: &stream)
            default: RNN(inputs, units, options: options, stream: &stream)
            }
        let rows = options.batchFirst ? x.shape[0] : x.shape[1]
        let isLSTM = reference.layer == "lstm"
        var tensors = ["x": x]
        if reference.initial == true {
            for name in isLSTM ? ["h0", "c0"] : ["h0"] {
                for state in (0..<layer.stateCount).map({ "\(name).\($0)" }) {
                    tensors[state] = reference.tensor(state, [rows, units])
                }
            }
        }
        return ReferenceLayer(module: layer, inputs: tensors) { inputs, _ in
            let initial =
                reference.initial == true
                ? (0..<layer.stateCount).map {
                    RecurrentState(hidden: inputs["h0.\($0)"]!, cell: inputs["c0.\($0)"])
                } : nil
            let result = layer(inputs["x"]!, initial: initial, lengths: reference.lengths)
            var outputs = [(name: "output", value: result.output)]
            for (index, state) in result.final.enumerated() {
                outputs.append(("hn.\(index)", state.hidden))
                if let cell = state.cell { outputs.append(("cn.\(index)", cell)) }
            }
            return outputs
        }
    }

    private static func cell(
        _ reference: ReferenceCase, _ x: Tensor, _ stream: inout InitializationStream
    ) -> ReferenceLayer {
        let inputs = reference.inputs ?? 0
        let units = reference.units ?? 0
        let module: any Module
        let step: (Variable, RecurrentState) -> RecurrentState
        switch reference.layer {
        case "lstm":
            let cell = LSTMCell(inputs, units, stream: &stream)
            (module, step) = (cell, { cell($0, $1) })
        case "gru":
            let cell = GRUCell(inputs, units, stream: &stream)
            (module, step) = (cell, { cell($0, $1) })
        default:
            let cell = RNNCell(
                inputs, units, activation: reference.layer == "rnnRelu" ? .relu : .tanh,
                stream: &stream)
            (module, step) = (cell, { cell($0, $1) })
        }
        var tensors = ["x": x]
        for name in reference.layer == "lstm" ? ["h0", "c0"] : ["h0"] {
            tensors[name] = reference.tensor(name, [x.shape[0], units])
        }
        return ReferenceLayer(module: module, inputs: tensors) { inputs, _ in
            let first = step(
                inputs["x"]!, RecurrentState(hidden: inputs["h0"]!, cell: inputs["c0"]))
            let second = step(inputs["x"]!, first)
            return [("hn", second.hidden)] + (second.cell.map { [("cn", $0)] } ?? [])
        }
    }
}
