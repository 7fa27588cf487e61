import Autodiff

/// Layers of long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al.
/// 2000).
///
/// [T, N, inputs] -> [T, N, units], twice as wide when bidirectional.
public struct LSTM: RecurrentLayer {
    private let stack: RecurrentStack

    /// All parameters uniform in +-1 / sqrt(units), as in PyTorch.
    public init(
        _ inputs: Int, _ units: Int, options: RecurrentOptions = .init(),
        stream: inout InitializationStream
    ) {
        stack = RecurrentStack(.lstm, inputs, units, options, stream: &stream)
    }

    /// weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 and so on.
    public var parts: [(name: String, value: Any)] { stack.parts }
    /// The last size of the input.
    public var inputFeatures: Int { stack.inputs }
    /// The last size of the output.
    public var outputFeatures: Int { stack.outputFeatures }
    /// Layers times directions.
    public var stateCount: Int { stack.stateCount }

    /// [T, N, inputs], or [N, T, inputs] where batch comes first, to outputs in the same order.
    public func callAsFunction(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput {
        stack.run(x, initial: initial, lengths: lengths)
    }
}

/// One step of a LSTM for loops that need the state in between: [N, inputs] -> [N, units].
public struct LSTMCell: Module {
    private let unit: RecurrentUnit
    private let weights: RecurrentWeights

    /// All parameters uniform in +-1 / sqrt(units), as in PyTorch.
    public init(
        _ inputs: Int, _ units: Int, bias: Bool = true,
        stream: inout InitializationStream
    ) {
        unit = .lstm
        weights = RecurrentWeights(unit, inputs, units, bias: bias, stream: &stream)
    }

    /// weight_ih, weight_hh, bias_ih, bias_hh.
    public var parts: [(name: String, value: Any)] { weights.parts(suffix: "") }

    /// The state after one more step; nil is the state of zeros.
    public func callAsFunction(_ x: Variable, _ state: RecurrentState? = nil) -> RecurrentState {
        recurrentSequence(
            x, unit: unit, directions: [weights], initial: state.map { [$0] }
        ).final[0]
    }
}
