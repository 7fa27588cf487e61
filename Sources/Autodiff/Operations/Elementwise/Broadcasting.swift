import CKernels
import Kernels
import Tensors

// NumPy's broadcasting for dense tensors: shapes are aligned at their last dimension, and a size of
// 1 (or a missing dimension) is repeated. Nothing is copied: the loops read a repeated operand with
// stride 0. Dimensions that lie together in all operands are merged first, so most calls are one or
// two loops deep.

extension Shape {
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

/// target = target op b, where b broadcasts to the target. No other tensor may share the target's
/// memory.
func combine(_ operation: rondo_binary_operation, into target: Tensor, _ b: Tensor) {
    let loops = StridedLoops(
        sizes: target.shape.dimensions,
        strides: [target.shape.strides, b.shape.strides(broadcastTo: target.shape)])
    rondo_binary(
        operation, target.pointer, target.pointer, b.pointer, loops.sizes.count, loops.sizes,
        loops.strides[0], loops.strides[1])
}

/// The gradient of a repeated operand: the sum over its repetitions.
func unbroadcast(_ gradient: Tensor, to shape: Shape) -> Tensor {
    if gradient.shape == shape { return gradient }
    let missing = gradient.shape.rank - shape.rank
    let repeated = (0..<gradient.shape.rank).filter {
        $0 < missing || (shape[$0 - missing] == 1 && gradient.shape[$0] != 1)
    }
    return reduced(gradient, axes: repeated, rondo_reduce_sum).reshaped(shape)
}
