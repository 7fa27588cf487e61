import Kernels
import Tensors

/// Sizes and, per operand, strides of nested loops, with as few loops as possible.
struct StridedLoops {
    private(set) var sizes: [Int64] = []
    private(set) var strides: [[Int64]]

    /// - Parameter strides: one list per operand, each as long as `sizes`.
    init(sizes: [Int], strides operands: [[Int]]) {
        strides = operands.map { _ in [] }
        for dimension in sizes.indices where sizes[dimension] != 1 {
            let size = Int64(sizes[dimension])
            let merges =
                !self.sizes.isEmpty
                && operands.indices.allSatisfy {
                    strides[$0][self.sizes.count - 1] == Int64(operands[$0][dimension]) * size
                }
            if merges {
                self.sizes[self.sizes.count - 1] *= size
                for operand in operands.indices {
                    strides[operand][self.sizes.count - 1] = Int64(operands[operand][dimension])
                }
            } else {
                self.sizes.append(size)
                for operand in operands.indices {
                    strides[operand].append(Int64(operands[operand][dimension]))
                }
            }
        }
    }
}

extension Shape {
    /// Elements between neighbours along each dimension of a dense tensor.
    var strides: [Int] {
        var strides = [Int](repeating: 1, count: rank)
        for dimension in stride(from: rank - 2, through: 0, by: -1) {
            strides[dimension] = strides[dimension + 1] * dimensions[dimension + 1]
        }
        return strides
    }

    /// The strides with which a dense tensor of this shape is read as if it had the shape `target`.
    func strides(broadcastTo target: Shape) -> [Int] {
        let missing = target.rank - rank
        let own = strides
        return (0..<target.rank).map { dimension in
            dimension < missing || dimensions[dimension - missing] == 1
                ? 0 : own[dimension - missing]
        }
    }

    /// A dimension counted from the front; negative ones count from the back.
    func axis(_ axis: Int, _ operation: String) -> Int {
        require(
            axis >= -rank && axis < rank, "\(operation): axis \(axis) of a tensor of shape \(self)")
        return axis < 0 ? axis + rank : axis
    }

    /// Axes in ascending order, each once; all of them for nil.
    func axes(_ axes: [Int]?, _ operation: String) -> [Int] {
        guard let axes else { return Array(0..<rank) }
        return Set(axes.map { axis($0, operation) }).sorted()
    }

    /// The product of the sizes before, at and after an axis.
    func split(at axis: Int) -> (outer: Int, length: Int, inner: Int) {
        (
            dimensions[..<axis].reduce(1, *), dimensions[axis],
            dimensions[(axis + 1)...].reduce(1, *)
        )
    }
}
