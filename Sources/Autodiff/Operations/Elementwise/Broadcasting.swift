import CKernels
import Glibc
import Tensors

// NumPy's broadcasting for dense tensors: shapes are aligned at their last dimension, and a size of 1 (or a
// missing dimension) is repeated. Nothing is copied for it: the loops read a repeated operand with
// stride 0. Dimensions that lie together in all operands are merged first, so most calls are one or two
// loops deep.

/// Ends the program with these words unless the condition holds.
///
/// Unlike `precondition` it says them in optimised builds too: a wrong shape is found by its sizes.
func require(
    _ condition: Bool, _ words: @autoclosure () -> String, file: StaticString = #file,
    line: UInt = #line
) {
    if condition { return }
    let message = words()
    let text = Array("Rondo: \(message)\n".utf8)
    _ = write(STDERR_FILENO, text, text.count)
    preconditionFailure(message, file: file, line: line)
}

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

    /// Whether a tensor of this shape can be repeated to `target`.
    func broadcasts(to target: Shape) -> Bool {
        let missing = target.rank - rank
        return missing >= 0
            && dimensions.indices.allSatisfy {
                dimensions[$0] == 1 || dimensions[$0] == target[$0 + missing]
            }
    }

    /// The common shape of two operands.
    static func broadcast(_ a: Shape, _ b: Shape, _ operation: String) -> Shape {
        if a == b { return a }
        let rank = Swift.max(a.rank, b.rank)
        let sizes = (0..<rank).map { dimension -> Int in
            let left = dimension - (rank - a.rank)
            let right = dimension - (rank - b.rank)
            let p = left < 0 ? 1 : a[left]
            let q = right < 0 ? 1 : b[right]
            require(
                p == q || p == 1 || q == 1, "\(operation): shapes \(a) and \(b) do not broadcast")
            return p == 1 ? q : p
        }
        return Shape(sizes)
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

/// One operation of the C loops over two operands that broadcast.
func combined(
    _ operation: rondo_binary_operation, _ a: Tensor, _ b: Tensor, _ name: String
) -> Tensor {
    let shape = Shape.broadcast(a.shape, b.shape, name)
    let y = Tensor(uninitialized: shape)
    let loops = StridedLoops(
        sizes: shape.dimensions,
        strides: [a.shape.strides(broadcastTo: shape), b.shape.strides(broadcastTo: shape)])
    rondo_binary(
        operation, y.pointer, a.pointer, b.pointer, loops.sizes.count, loops.sizes,
        loops.strides[0], loops.strides[1])
    return y
}

/// target = target op b, where b broadcasts to the target, which nobody else shows.
func combine(_ operation: rondo_binary_operation, into target: Tensor, _ b: Tensor) {
    let loops = StridedLoops(
        sizes: target.shape.dimensions,
        strides: [target.shape.strides, b.shape.strides(broadcastTo: target.shape)])
    rondo_binary(
        operation, target.pointer, target.pointer, b.pointer, loops.sizes.count, loops.sizes,
        loops.strides[0], loops.strides[1])
}

/// The gradient of an operand that was repeated: summed over its repetitions.
func unbroadcast(_ gradient: Tensor, to shape: Shape) -> Tensor {
    if gradient.shape == shape { return gradient }
    let missing = gradient.shape.rank - shape.rank
    let repeated = (0..<gradient.shape.rank).filter {
        $0 < missing || (shape[$0 - missing] == 1 && gradient.shape[$0] != 1)
    }
    return reduced(gradient, axes: repeated, rondo_reduce_sum).reshaped(shape)
}
