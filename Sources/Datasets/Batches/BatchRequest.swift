/// Which samples a batch holds.
public enum BatchRequest: Equatable, Sendable {
    /// Positions in the shuffled order of an epoch, augmented.
    case training(epoch: Int, positions: Range<Int>)
    /// Samples in the file's order, as they are.
    case inOrder(Range<Int>)

    /// The positions asked for, in whichever order is meant.
    public var positions: Range<Int> {
        switch self {
        case .training(_, let positions), .inOrder(let positions): positions
        }
    }
}
