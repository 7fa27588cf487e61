import Tensors

/// A tensor on a tape.
public struct Variable {
    static let constantNode = -1

    /// The result of the forward pass.
    public let value: Tensor
    /// The tape it lies on.
    public let tape: Tape
    let node: Int
    /// The table and the tokens, if the rows are those of a table.
    var lookup: TokenLookup?

    /// Whether a gradient flows to it.
    public var isDifferentiated: Bool { node != Self.constantNode }
    /// Whether an operation that computes derivatives together with its value has to do so now.
    var needsDerivative: Bool { isDifferentiated && tape.isRecording }
    /// Sizes of the value.
    public var shape: Shape { value.shape }
    /// The number of elements.
    var count: Int { value.count }
}
