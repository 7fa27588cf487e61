import Autodiff
import NeuralNetworks
import Tensors

// The cases of layers that are made of layers, and of those that only act in training.

extension ReferenceLayer {
    static func composed(
        _ reference: ReferenceCase, _ stream: inout InitializationStream
    ) throws -> any Layer {
        let inputs = reference.x[reference.x.count - 1]
        let outputs = reference.options.outputs ?? 0
        switch reference.layer {
        case "sequential":
            return Sequential(
                Linear(inputs, 7, stream: &stream), Activation.tanh,
                Linear(7, outputs, stream: &stream))
        case "residualBlock":
            let layers = Sequential(named: [
                ("first", Linear(inputs, 7, stream: &stream)), ("tanh", Activation.tanh),
                ("second", Linear(7, outputs, stream: &stream)),
            ])
            let shortcut =
                inputs == outputs
                ? Sequential() : Sequential(Linear(inputs, outputs, bias: false, stream: &stream))
            return Residual(layers, shortcut: shortcut)
        case "dropout": return Dropout(probability: 0)
        default: throw UnknownLayer(name: reference.layer)
        }
    }

    /// An LSTM and a GRU of another width, or two stacks with skips, of which the output alone is
    /// stored.
    static func bidirectional(
        _ reference: ReferenceCase, _ x: Tensor, _ stream: inout InitializationStream
    ) -> ReferenceLayer {
        let inputs = reference.inputs ?? 0
        let units = reference.units ?? 0
        let isStack = reference.options.layers != nil
        let forward: any RecurrentLayer =
            isStack ? skipped(reference, &stream) : LSTM(inputs, units, stream: &stream)
        let backward: any RecurrentLayer =
            isStack ? skipped(reference, &stream) : GRU(inputs, units + 1, stream: &stream)
        let layer = Bidirectional(forward: forward, backward: backward)
        return ReferenceLayer(module: layer, inputs: ["x": x]) { inputs, _ in
            let result = layer(inputs["x"]!, initial: nil, lengths: reference.lengths)
            var outputs = [(name: "output", value: result.output)]
            guard !isStack else { return outputs }
            for (index, state) in result.final.enumerated() {
                outputs.append(("hn.\(index)", state.hidden))
                if let cell = state.cell { outputs.append(("cn.\(index)", cell)) }
            }
            return outputs
        }
    }
}
