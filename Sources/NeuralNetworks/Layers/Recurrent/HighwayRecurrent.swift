import Autodiff
import Tensors

/// Recurrent layers on top of each other, each with a highway around it: y = g layer(x) + (1 - g) x
/// with the gate g = sigmoid(W x + b) (Srivastava, Greff and Schmidhuber 2015; around LSTM layers
/// in He et al. 2017).
///
/// A layer whose output has another width than its input has no highway. The gates start with b =
/// -1, so that the input passes at first.
public struct HighwayRecurrent: RecurrentLayer {
    private let layers: [any RecurrentLayer]
    private let gates: [Linear?]
    private let dropoutProbability: Float
    private let batchFirst: Bool

    /// - Parameters:
    ///   - layers: with the steps first; each takes what the one below gives.
    ///   - dropout: probability between layers.
    public init(
        _ layers: [any RecurrentLayer], dropout: Float = 0, batchFirst: Bool = false,
        stream: inout InitializationStream
    ) {
        checkStack(layers)
        self.layers = layers
        gates = layers.map { layer in
            guard layer.inputFeatures == layer.outputFeatures else { return nil }
            let gate = Linear(layer.inputFeatures, layer.outputFeatures, stream: &stream)
            if let bias = gate.bias?.value {
                bias.pointer.update(repeating: -1, count: bias.count)
            }
            return gate
        }
        dropoutProbability = dropout
        self.batchFirst = batchFirst
    }

    /// The layers under "layers.0" and so on, the gates under "gates.0" with the number of their
    /// layer.
    public var parts: [(name: String, value: Any)] {
        [("layers", layers)]
            + gates.enumerated().compactMap { index, gate in gate.map { ("gates.\(index)", $0) } }
    }
    /// The last size of the input.
    public var inputFeatures: Int { layers[0].inputFeatures }
    /// The last size of the output.
    public var outputFeatures: Int { layers[layers.count - 1].outputFeatures }
    /// The states of all layers together.
    public var stateCount: Int { layers.reduce(0) { $0 + $1.stateCount } }

    /// Outputs in the order of the input, steps first or batch first.
    public func callAsFunction(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput {
        runStack(
            layers, x, initial: initial, lengths: lengths, dropout: dropoutProbability,
            batchFirst: batchFirst
        ) { index, input, output in
            guard let gate = gates[index] else { return output }
            return highway(input, transformed: output, gateLogits: gate(input))
        }
    }
}
