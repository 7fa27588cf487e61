import Autodiff
import Tensors

// What RNN, LSTM and GRU have in common: a stack of layers in one or two directions, each run as
// one fused operation over the whole sequence (Autodiff/Operations/RecurrentSequence.swift).
//
// Parameters carry PyTorch's names, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, with
// "_reverse" for the second direction; the gates lie in PyTorch's order (LSTM i f g o, GRU r z n).

/// What a recurrent layer makes of a batch of sequences.
public struct RecurrentOutput {
    /// [T, N, outputFeatures], or [N, T, outputFeatures] where batch comes first; zeros beyond the
    /// end of a sequence.
    public let output: Variable
    /// The states after each sequence's last step: for each layer, for each direction.
    public let final: [RecurrentState]
}

/// A layer with a state that it carries along a sequence.
public protocol RecurrentLayer: Layer {
    /// The last size of the input, and of the output.
    var inputFeatures: Int { get }
    var outputFeatures: Int { get }
    /// States that `initial` gives and `final` returns.
    var stateCount: Int { get }

    /// Runs a batch of sequences.
    ///
    /// - Parameters:
    ///   - initial: the states to start from, in the order of `final`; nil for zeros.
    ///   - lengths: the steps of each sequence; what lies beyond is neither read nor trained.
    func callAsFunction(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput
}

extension RecurrentLayer {
    /// The output from zero states, all sequences of full length.
    public func callAsFunction(_ x: Variable) -> Variable {
        self(x, initial: nil, lengths: nil).output
    }

    /// The same for a padded batch, which comes with the batch first: nothing beyond the end of a
    /// sequence is read or trained.
    public func callAsFunction(_ x: Features) -> Features {
        Features(self(x.values, initial: nil, lengths: x.lengths).output, lengths: x.lengths)
    }
}

/// Settings that the recurrent layers share, with PyTorch's defaults.
public struct RecurrentOptions: Sendable {
    /// Layers on top of each other.
    public var layers: Int
    /// Whether each layer has a second direction, from the end to the start; doubles the output.
    public var bidirectional: Bool
    /// Whether there are biases.
    public var bias: Bool
    /// [N, T, ...] instead of [T, N, ...], at both ends.
    public var batchFirst: Bool
    /// Probability of dropout between layers.
    public var dropout: Float

    /// The settings.
    public init(
        layers: Int = 1, bidirectional: Bool = false, bias: Bool = true, batchFirst: Bool = false,
        dropout: Float = 0
    ) {
        self.layers = layers
        self.bidirectional = bidirectional
        self.bias = bias
        self.batchFirst = batchFirst
        self.dropout = dropout
    }
}

/// The stack behind RNN, LSTM and GRU.
struct RecurrentStack {
    let unit: RecurrentUnit
    let inputs: Int, units: Int
    let options: RecurrentOptions
    /// By layer, by direction.
    let layers: [[RecurrentWeights]]

    /// All uniform in +-1 / sqrt(units), as in PyTorch.
    init(
        _ unit: RecurrentUnit, _ inputs: Int, _ units: Int, _ options: RecurrentOptions,
        stream: inout InitializationStream
    ) {
        precondition(
            options.layers > 0 && inputs > 0 && units > 0,
            "\(unit) with \(options.layers) layers, \(inputs) inputs, \(units) units")
        self.unit = unit
        self.inputs = inputs
        self.units = units
        self.options = options
        let directions = options.bidirectional ? 2 : 1
        layers = (0..<options.layers).map { layer in
            (0..<directions).map { direction in
                RecurrentWeights(
                    unit, layer == 0 ? inputs : directions * units, units, bias: options.bias,
                    isReversed: direction == 1, stream: &stream)
            }
        }
    }

    var parts: [(name: String, value: Any)] {
        layers.enumerated().flatMap { layer, directions in
            directions.flatMap {
                $0.parts(suffix: "_l\(layer)" + ($0.isReversed ? "_reverse" : ""))
            }
        }
    }

    var outputFeatures: Int { units * layers[0].count }
    var stateCount: Int { layers.count * layers[0].count }

    func run(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput {
        precondition(
            initial.map { $0.count == stateCount } ?? true,
            "\(initial?.count ?? 0) initial states for \(stateCount)")
        var value = options.batchFirst ? swapLeadingDimensions(x) : x
        var final: [RecurrentState] = []
        for (layer, directions) in layers.enumerated() {
            if layer > 0 { value = dropout(value, probability: options.dropout) }
            let first = layer * directions.count
            let result = recurrentSequence(
                value, unit: unit, directions: directions,
                initial: initial.map { Array($0[first..<first + directions.count]) },
                lengths: lengths)
            value = result.output
            final += result.final
        }
        return RecurrentOutput(
            output: options.batchFirst ? swapLeadingDimensions(value) : value, final: final)
    }
}

extension RecurrentWeights {
    init(
        _ unit: RecurrentUnit, _ inputs: Int, _ units: Int, bias: Bool, isReversed: Bool = false,
        stream: inout InitializationStream
    ) {
        let products = unit.productCount * units
        let bound = 1 / Double(units).squareRoot()
        let input = Parameter(stream.uniform([products, inputs], bound: bound))
        let hidden = Parameter(stream.uniform([products, units], bound: bound))
        self.init(
            input: input, hidden: hidden,
            biases: bias
                ? (
                    Parameter(stream.uniform([products], bound: bound)),
                    Parameter(stream.uniform([products], bound: bound))
                ) : nil, isReversed: isReversed)
    }

    func parts(suffix: String) -> [(name: String, value: Any)] {
        [("weight_ih" + suffix, input), ("weight_hh" + suffix, hidden)]
            + (biases.map {
                [("bias_ih" + suffix, $0.input), ("bias_hh" + suffix, $0.hidden)]
            } ?? [])
    }
}
