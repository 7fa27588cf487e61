import Kernels
import Tensors

/// How a batch of sequences lies in memory.
public enum SequenceLayout: Sendable {
    /// [N, T, width]
    case batchFirst
    /// [T, N, width]
    case timeFirst
}

/// Queries, keys or values: columns of a variable, head after head.
public struct AttentionOperand {
    /// [N, T, W] or [T, N, W].
    public let variable: Variable
    /// The column where head 0 begins.
    public let firstColumn: Int
    /// How the variable lies.
    public let layout: SequenceLayout
    /// The number of time steps used; the rest, of a cache that is not full, is ignored.
    public let length: Int

    /// Takes the columns from `firstColumn` on, and the first `length` steps or all.
    public init(
        _ variable: Variable, firstColumn: Int = 0, layout: SequenceLayout = .batchFirst,
        length: Int? = nil
    ) {
        require(variable.shape.rank == 3, "attention over \(variable.shape), not N x T x W")
        self.variable = variable
        self.firstColumn = firstColumn
        self.layout = layout
        let steps = variable.shape[layout == .batchFirst ? 1 : 0]
        self.length = length ?? steps
        require(self.length <= steps, "\(self.length) of \(steps) time steps")
    }

    var samples: Int { variable.shape[layout == .batchFirst ? 0 : 1] }
    var rowStride: Int {
        layout == .batchFirst ? variable.shape[2] : variable.shape[1] * variable.shape[2]
    }
    var sampleStride: Int {
        layout == .batchFirst ? variable.shape[1] * variable.shape[2] : variable.shape[2]
    }
    func offset(sample: Int, row: Int, column: Int) -> Int {
        sample * sampleStride + row * rowStride + firstColumn + column
    }
    func pointer(_ sample: Int, _ row: Int, _ column: Int) -> UnsafePointer<Float> {
        UnsafePointer(variable.value.pointer) + offset(sample: sample, row: row, column: column)
    }
}
