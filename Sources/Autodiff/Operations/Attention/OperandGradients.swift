import Tensors

/// The gradients of operands, which may be columns of one variable: those that lie side by side
/// share a tensor, so that nothing has to be joined afterwards.
struct OperandGradients {
    private let operands: [AttentionOperand]
    private let targets: [Int]
    private let tensors: [(tensor: Tensor, variable: Variable)]

    /// - Parameter adding: whether the caller adds to all of them, so that they start from zero.
    init(_ operands: [AttentionOperand], widths: [Int], adding: Bool = false) {
        var targets: [Int] = []
        var found: [(variable: Variable, columns: [Range<Int>], isWhole: Bool)] = []
        for (operand, width) in zip(operands, widths) {
            let columns = operand.firstColumn..<operand.firstColumn + width
            let steps = operand.variable.shape[operand.layout == .batchFirst ? 1 : 0]
            // A constant's node says nothing about which tensor it is.
            let shared = found.firstIndex { other in
                operand.variable.isDifferentiated && other.variable.node == operand.variable.node
                    && !other.columns.contains { $0.overlaps(columns) }
            }
            if let shared {
                found[shared].columns.append(columns)
                found[shared].isWhole = found[shared].isWhole && operand.length == steps
            } else {
                found.append((operand.variable, [columns], operand.length == steps))
            }
            targets.append(shared ?? found.count - 1)
        }
        self.operands = operands
        self.targets = targets
        tensors = found.map { entry in
            let covered = entry.columns.reduce(0) { $0 + $1.count }
            let shape = entry.variable.shape
            let isCovered = !adding && entry.isWhole && covered == shape[2]
            return (isCovered ? Tensor(uninitialized: shape) : Tensor(zeros: shape), entry.variable)
        }
    }

    func pointer(_ operand: Int, _ sample: Int, _ row: Int, _ column: Int)
        -> UnsafeMutablePointer<Float>
    {
        tensors[targets[operand]].tensor.pointer
            + operands[operand].offset(sample: sample, row: row, column: column)
    }

    func deliver() {
        for (tensor, variable) in tensors { variable.tape.addGradient(tensor, to: variable) }
    }
}
