import Kernels
import Tensors

/// The sizes of one layer's run.
struct RecurrentGeometry {
    let unit: RecurrentUnit
    /// T; the steps of the longest sequence; N; I; H; D.
    let steps: Int, activeSteps: Int, rows: Int, inputs: Int, units: Int, directions: Int
    let lengths: [Int32]?
    private let isSingleStep: Bool

    init(
        _ x: Shape, _ unit: RecurrentUnit, _ directions: [RecurrentWeights], _ lengths: [Int32]?
    ) {
        require(x.rank == 2 || x.rank == 3, "sequences are [T, N, I] or [N, I], got \(x)")
        isSingleStep = x.rank == 2
        steps = isSingleStep ? 1 : x[0]
        rows = isSingleStep ? x[0] : x[1]
        inputs = x.columns
        let limit = steps
        require(
            lengths.map { lengths in
                lengths.allSatisfy { $0 >= 0 && $0 <= limit }
            } ?? true,
            "length \(lengths?.first { $0 < 0 || $0 > limit } ?? 0) is outside 0...\(limit)")
        require(
            (lengths?.count ?? rows) == rows, "\(lengths?.count ?? 0) lengths of \(rows) sequences")
        // Lengths that shorten no sequence are left out.
        self.lengths = lengths.flatMap { $0.allSatisfy { $0 == limit } ? nil : $0 }
        activeSteps = self.lengths.map { Int($0.max() ?? 0) } ?? limit
        require(
            directions.count == 1
                || directions.count == 2 && !directions[0].isReversed && directions[1].isReversed,
            "\(directions.count) directions, reversed \(directions.map(\.isReversed)); "
                + "a layer has one, or a forward and a reversed one")
        units = directions[0].hidden.shape[1]
        let products = unit.productCount * units
        for weights in directions {
            require(
                weights.input.shape == [products, inputs]
                    && weights.hidden.shape == [products, units],
                "\(unit) weights \(weights.input.shape), \(weights.hidden.shape) for \(x)")
        }
        self.unit = unit
        self.directions = directions.count
    }

    /// Whether Rondo's own products are used. They need rows in blocks and packed weights, which
    /// pays from four steps on.
    var isBlocked: Bool { Arithmetic.fusedWidth > 0 && activeSteps >= 4 }
    /// Whether each step keeps four gates per unit; a plain RNN keeps its state alone.
    var isGated: Bool { unit == .lstm || unit == .gru }
    /// D H
    var width: Int { directions * units }
    /// [active steps + 2, N, D H]
    var statesShape: Shape { [activeSteps + 2, rows, width] }

    /// The output: a slice of the states, or a copy with zeros where sequences have ended.
    func output(_ states: Tensor) -> Tensor {
        let shape: Shape = isSingleStep ? [rows, width] : [steps, rows, width]
        guard lengths != nil else { return states.slice(from: rows * width, shape) }
        let output = Tensor(uninitialized: shape)
        output.pointer.update(
            from: states.pointer + rows * width, count: activeSteps * rows * width)
        clearPaddedSteps(output.pointer, lengths: lengths, steps: steps, rows: rows, width: width)
        return output
    }
}
