import CKernels
import Kernels
import Tensors

// Sums, means, extrema, variances and norms over any axes; nil means all of them. With
// `keepDimensions` a reduced axis stays with size 1, so that the result broadcasts against x.

typealias Reduction = (
    UnsafeMutablePointer<Float>, UnsafePointer<Float>, _ outer: Int, _ length: Int, _ inner: Int
) -> Void

/// The reduction over axes in ascending order; they stay with size 1. Neighbouring axes are one
/// pass.
func reduced(_ x: Tensor, axes: [Int], _ reduction: Reduction) -> Tensor {
    var result = x
    var last = axes.count - 1
    while last >= 0 {
        var first = last
        while first > 0 && axes[first - 1] == axes[first] - 1 { first -= 1 }
        var sizes = result.shape.dimensions
        let outer = sizes[..<axes[first]].reduce(1, *)
        let inner = sizes[(axes[last] + 1)...].reduce(1, *)
        let length = sizes[axes[first]...axes[last]].reduce(1, *)
        for axis in axes[first]...axes[last] { sizes[axis] = 1 }
        if length == 1 {
            result = result.reshaped(Shape(sizes))
        } else {
            let next = Tensor(uninitialized: Shape(sizes))
            reduction(next.pointer, result.pointer, outer, length, inner)
            result = next
        }
        last = first - 1
    }
    return result
}

extension Shape {
    /// The shape without the given axes, or with size 1 in their place.
    func reduced(_ axes: [Int], keepDimensions: Bool) -> Shape {
        Shape(
            dimensions.indices.compactMap { axis in
                axes.contains(axis) ? (keepDimensions ? 1 : nil) : dimensions[axis]
            })
    }
}

/// x repeated to a shape that it broadcasts to.
func repeated(_ x: Tensor, to shape: Shape) -> Tensor {
    if x.shape == shape { return x }
    let y = Tensor(uninitialized: shape)
    let loops = StridedLoops(
        sizes: shape.dimensions, strides: [shape.strides, x.shape.strides(broadcastTo: shape)])
    rondo_strided_copy(
        y.pointer, x.pointer, loops.sizes.count, loops.sizes, loops.strides[0], loops.strides[1])
    return y
}

/// The sum.
public func sum(_ x: Variable, axes: [Int]? = nil, keepDimensions: Bool = false) -> Variable {
    let axes = x.shape.axes(axes, "sum")
    let kept = x.shape.reduced(axes, keepDimensions: true)
    let y = reduced(x.value, axes: axes, rondo_reduce_sum)
    let shape = x.shape.reduced(axes, keepDimensions: keepDimensions)
    return x.tape.record(y.reshaped(shape), from: [x]) { upstream in
        x.tape.addGradient(repeated(upstream.reshaped(kept), to: x.shape), to: x)
    }
}

/// The mean; NaN if there are no elements.
public func mean(_ x: Variable, axes: [Int]? = nil, keepDimensions: Bool = false) -> Variable {
    let all = x.shape.axes(axes, "mean")
    let count = all.reduce(1) { $0 * x.shape[$1] }
    return sum(x, axes: all, keepDimensions: keepDimensions) / Float(count)
}

/// The largest element; equals share the gradient, NaN wins.
public func max(_ x: Variable, axes: [Int]? = nil, keepDimensions: Bool = false) -> Variable {
    extremum(x, axes, keepDimensions, "max", rondo_reduce_maximum)
}

/// The smallest element; equals share the gradient, NaN wins.
public func min(_ x: Variable, axes: [Int]? = nil, keepDimensions: Bool = false) -> Variable {
    extremum(x, axes, keepDimensions, "min", rondo_reduce_minimum)
}

private func extremum(
    _ x: Variable, _ axes: [Int]?, _ keepDimensions: Bool, _ name: String,
    _ reduction: Reduction
) -> Variable {
    let axes = x.shape.axes(axes, name)
    require(
        axes.allSatisfy { x.shape[$0] > 0 }, "\(name): over no elements, axes \(axes) of \(x.shape)"
    )
    let y = reduced(x.value, axes: axes, reduction)
    let shape = x.shape.reduced(axes, keepDimensions: keepDimensions)
    return x.tape.record(y.reshaped(shape), from: [x]) { upstream in
        let dx = combined(rondo_binary_equal, x.value, y, name)
        let share = combined(
            rondo_binary_divide, upstream.reshaped(y.shape),
            reduced(dx, axes: axes, rondo_reduce_sum), name)
        combine(rondo_binary_multiply, into: dx, share)
        x.tape.addGradient(dx, to: x)
    }
}

/// The place of the largest element along an axis, the first of equals. The axis is removed, or
/// kept with size 1.
public func argmax(_ x: Tensor, axis: Int = -1, keepDimensions: Bool = false) -> Indices {
    place(x, axis, keepDimensions, "argmax", rondo_arg_maximum)
}

/// The place of the smallest element along an axis, the first of equals.
public func argmin(_ x: Tensor, axis: Int = -1, keepDimensions: Bool = false) -> Indices {
    place(x, axis, keepDimensions, "argmin", rondo_arg_minimum)
}

private func place(
    _ x: Tensor, _ axis: Int, _ keepDimensions: Bool, _ name: String,
    _ search: (UnsafeMutablePointer<Int32>, UnsafePointer<Float>, Int, Int, Int) -> Void
) -> Indices {
    let axis = x.shape.axis(axis, name)
    require(x.shape[axis] > 0, "\(name): over no elements, axis \(axis) of \(x.shape)")
    let (outer, length, inner) = x.shape.split(at: axis)
    let values = [Int32](unsafeUninitializedCapacity: outer * inner) { buffer, count in
        if let base = buffer.baseAddress { search(base, x.pointer, outer, length, inner) }
        count = outer * inner
    }
    return Indices(values, x.shape.reduced([axis], keepDimensions: keepDimensions))
}

/// The mean squared deviation from the mean, divided by count - correction: 1 as in PyTorch, 0 for
/// the biased variance.
public func variance(
    _ x: Variable, axes: [Int]? = nil, correction: Int = 1, keepDimensions: Bool = false
) -> Variable {
    let axes = x.shape.axes(axes, "variance")
    let count = axes.reduce(1) { $0 * x.shape[$1] }
    let mean = reduced(x.value, axes: axes, rondo_reduce_sum).copied()
    rondo_multiply_scalar(mean.pointer, mean.pointer, mean.count, 1 / Float(count))
    let deviation = combined(rondo_binary_subtract, x.value, mean, "variance")
    let squares = Tensor(uninitialized: x.shape)
    rondo_square(squares.pointer, deviation.pointer, squares.count)
    let factor = 1 / Float(Swift.max(count - correction, 0))
    let sums = reduced(squares, axes: axes, rondo_reduce_sum)
    let y = Tensor(uninitialized: x.shape.reduced(axes, keepDimensions: keepDimensions))
    rondo_multiply_scalar(y.pointer, sums.pointer, y.count, factor)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = combined(
            rondo_binary_multiply, deviation, upstream.reshaped(mean.shape), "variance")
        rondo_multiply_scalar(dx.pointer, dx.pointer, dx.count, 2 * factor)
        x.tape.addGradient(dx, to: x)
    }
}

/// ln of the sum of exp(x), without overflow; -infinity where all are.
public func logSumExp(
    _ x: Variable, axes: [Int]? = nil, keepDimensions: Bool = false
) -> Variable {
    let axes = x.shape.axes(axes, "logSumExp")
    require(
        axes.allSatisfy { x.shape[$0] > 0 },
        "logSumExp: over no elements, axes \(axes) of \(x.shape)")
    let largest = reduced(x.value, axes: axes, rondo_reduce_maximum).copied()
    rondo_finite_or_zero(largest.pointer, largest.pointer, largest.count)
    let shifted = combined(rondo_binary_subtract, x.value, largest, "logSumExp")
    rondo_exponential(shifted.pointer, shifted.pointer, shifted.count)
    let sums = reduced(shifted, axes: axes, rondo_reduce_sum).copied()
    rondo_logarithm(sums.pointer, sums.pointer, sums.count)
    combine(rondo_binary_add, into: sums, largest)
    let shape = x.shape.reduced(axes, keepDimensions: keepDimensions)
    return x.tape.record(sums.reshaped(shape), from: [x]) { upstream in
        let dx = combined(rondo_binary_subtract, x.value, sums, "logSumExp")
        rondo_exponential(dx.pointer, dx.pointer, dx.count)
        combine(rondo_binary_multiply, into: dx, upstream.reshaped(sums.shape))
        x.tape.addGradient(dx, to: x)
    }
}

/// Running sums along an axis; from its end if `reverse`, without the element itself if
/// `exclusive`.
public func cumsum(
    _ x: Variable, axis: Int = -1, reverse: Bool = false, exclusive: Bool = false
) -> Variable {
    let axis = x.shape.axis(axis, "cumsum")
    let (outer, length, inner) = x.shape.split(at: axis)
    let y = Tensor(uninitialized: x.shape)
    rondo_cumulative_sum(y.pointer, x.value.pointer, outer, length, inner, reverse, exclusive)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        rondo_cumulative_sum(
            dx.pointer, upstream.pointer, outer, length, inner, !reverse, exclusive)
        x.tape.addGradient(dx, to: x)
    }
}

/// Which norm.
public enum NormOrder: Sendable {
    /// The sum of magnitudes.
    case one
    /// The square root of the sum of squares; its gradient at 0 is 0.
    case two
}

/// The 1-norm or 2-norm over the axes.
public func norm(
    _ x: Variable, _ order: NormOrder = .two, axes: [Int]? = nil, keepDimensions: Bool = false
) -> Variable {
    let axes = x.shape.axes(axes, "norm")
    if order == .one { return sum(abs(x), axes: axes, keepDimensions: keepDimensions) }
    let squares = Tensor(uninitialized: x.shape)
    rondo_square(squares.pointer, x.value.pointer, squares.count)
    let y = reduced(squares, axes: axes, rondo_reduce_sum).copied()
    rondo_square_root(y.pointer, y.pointer, y.count)
    let shape = x.shape.reduced(axes, keepDimensions: keepDimensions)
    return x.tape.record(y.reshaped(shape), from: [x]) { upstream in
        let factor = combined(
            rondo_binary_divide_or_zero, upstream.reshaped(y.shape), y, "norm")
        x.tape.addGradient(combined(rondo_binary_multiply, x.value, factor, "norm"), to: x)
    }
}
