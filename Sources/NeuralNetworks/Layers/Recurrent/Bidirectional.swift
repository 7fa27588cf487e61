import Autodiff

/// Two recurrent layers or stacks of any kind side by side, one from the start of each sequence,
/// the other from its end; their outputs lie behind each other (Schuster and Paliwal 1997).
///
/// `LSTM`, `GRU` and `RNN` have a second direction of their own, where each layer sees both
/// directions of the one below. Here the directions meet at the end alone, and each may have skips.
public struct Bidirectional: RecurrentLayer {
    private let forward: any RecurrentLayer
    private let backward: any RecurrentLayer
    private let batchFirst: Bool

    /// - Parameters:
    ///   - forward: with the steps first, like `backward`; both read inputs of the same width.
    ///   - backward: gets each sequence turned round, up to its length.
    public init(
        forward: any RecurrentLayer, backward: any RecurrentLayer, batchFirst: Bool = false
    ) {
        precondition(
            forward.inputFeatures == backward.inputFeatures,
            "directions of \(forward.inputFeatures) and \(backward.inputFeatures) inputs")
        self.forward = forward
        self.backward = backward
        self.batchFirst = batchFirst
    }

    /// The directions under "forward" and "backward".
    public var parts: [(name: String, value: Any)] {
        [("forward", forward), ("backward", backward)]
    }
    /// The last size of the input.
    public var inputFeatures: Int { forward.inputFeatures }
    /// The last size of the output: both directions together.
    public var outputFeatures: Int { forward.outputFeatures + backward.outputFeatures }
    /// The states of the forward direction, then those of the other.
    public var stateCount: Int { forward.stateCount + backward.stateCount }

    /// Outputs in the order of the input, steps first or batch first.
    public func callAsFunction(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput {
        precondition(
            initial.map { $0.count == stateCount } ?? true,
            "\(initial?.count ?? 0) initial states for \(stateCount)")
        let value = batchFirst ? swapLeadingDimensions(x) : x
        let ahead = forward(
            value, initial: initial.map { Array($0.prefix(forward.stateCount)) },
            lengths: lengths)
        let turned = backward(
            reversedSteps(value, lengths: lengths),
            initial: initial.map { Array($0.dropFirst(forward.stateCount)) }, lengths: lengths)
        let output = concat(
            [ahead.output, reversedSteps(turned.output, lengths: lengths)], axis: 2)
        return RecurrentOutput(
            output: batchFirst ? swapLeadingDimensions(output) : output,
            final: ahead.final + turned.final)
    }
}
