import CKernels
import Kernels
import Tensors

// Operations that move elements and do no arithmetic. Tensors are dense, so all but the reshapes
// copy, by one C function that walks destination and source with strides of their own; their
// gradients are the opposite copies.

/// One operand of a strided copy: where it begins and how far apart its neighbours are.
struct StridedView {
    let tensor: Tensor
    var offset = 0
    let strides: [Int]
}

/// to[i] = from[i] for all i below the sizes.
func copyElements(_ sizes: [Int], to: StridedView, from: StridedView) {
    if sizes.contains(0) { return }
    let loops = StridedLoops(sizes: sizes, strides: [to.strides, from.strides])
    rondo_strided_copy(
        to.tensor.pointer + to.offset, from.tensor.pointer + from.offset, loops.sizes.count,
        loops.sizes, loops.strides[0], loops.strides[1])
}

private func reshaped(_ x: Variable, _ shape: Shape) -> Variable {
    x.tape.record(x.value.reshaped(shape), from: [x]) { upstream in
        x.tape.addGradient(upstream, to: x)
    }
}

/// The same elements in the same order under another shape; no copy.
public func reshape(_ x: Variable, _ shape: Shape) -> Variable {
    require(x.shape.count == shape.count, "reshape: \(x.shape) to \(shape)")
    return reshaped(x, shape)
}

/// Removes the given axes, which must have size 1; nil means all of size 1.
public func squeeze(_ x: Variable, axes: [Int]? = nil) -> Variable {
    let removed =
        axes.map { x.shape.axes($0, "squeeze") }
        ?? x.shape.dimensions.indices.filter { x.shape[$0] == 1 }
    require(
        removed.allSatisfy { x.shape[$0] == 1 },
        "squeeze: axes \(removed) of shape \(x.shape) are not all of size 1")
    return reshaped(x, x.shape.reduced(removed, keepDimensions: false))
}

/// Inserts an axis of size 1 that gets this place in the result.
public func unsqueeze(_ x: Variable, axis: Int) -> Variable {
    require(
        axis >= -x.shape.rank - 1 && axis <= x.shape.rank,
        "unsqueeze: axis \(axis) of shape \(x.shape)")
    var sizes = x.shape.dimensions
    sizes.insert(1, at: axis < 0 ? axis + sizes.count + 1 : axis)
    return reshaped(x, Shape(sizes))
}

func permuted(_ x: Tensor, _ axes: [Int]) -> Tensor {
    let y = Tensor(uninitialized: Shape(axes.map { x.shape[$0] }))
    let strides = x.shape.strides
    copyElements(
        y.shape.dimensions, to: StridedView(tensor: y, strides: y.shape.strides),
        from: StridedView(tensor: x, strides: axes.map { strides[$0] }))
    return y
}

/// Reorders the axes: axis i of the result is axis `axes[i]` of x.
public func permute(_ x: Variable, _ axes: [Int]) -> Variable {
    let axes = axes.map { x.shape.axis($0, "permute") }
    require(
        axes.sorted() == Array(0..<x.shape.rank), "permute: axes \(axes) of shape \(x.shape)")
    var inverse = axes
    for (place, axis) in axes.enumerated() { inverse[axis] = place }
    let opposite = inverse
    return x.tape.record(permuted(x.value, axes), from: [x]) { upstream in
        x.tape.addGradient(permuted(upstream, opposite), to: x)
    }
}

/// Exchanges two axes; the last two if none are named.
public func transpose(_ x: Variable, _ first: Int = -2, _ second: Int = -1) -> Variable {
    var axes = Array(0..<x.shape.rank)
    axes.swapAt(x.shape.axis(first, "transpose"), x.shape.axis(second, "transpose"))
    return permute(x, axes)
}

/// Repeats x to a larger shape, as arithmetic does by itself.
public func broadcast(_ x: Variable, to shape: Shape) -> Variable {
    require(x.shape.broadcasts(to: shape), "broadcast: \(x.shape) to \(shape)")
    return x.tape.record(repeated(x.value, to: shape), from: [x]) { upstream in
        x.tape.addGradient(unbroadcast(upstream, to: x.shape), to: x)
    }
}

/// `count` elements along an axis, from `start` on in steps; a negative step walks backward.
public func slice(
    _ x: Variable, axis: Int, from start: Int, count: Int, step: Int = 1
) -> Variable {
    let axis = x.shape.axis(axis, "slice")
    let size = x.shape[axis]
    let last = start + (count - 1) * step
    require(
        count == 0
            || (count > 0 && start >= 0 && start < size && last >= 0 && last < size && step != 0),
        "slice: \(count) from \(start) in steps of \(step), axis \(axis) of shape \(x.shape)")
    var sizes = x.shape.dimensions
    sizes[axis] = count
    var strides = x.shape.strides
    let offset = count == 0 ? 0 : start * strides[axis]
    strides[axis] *= step
    let y = Tensor(uninitialized: Shape(sizes))
    let part = strides
    copyElements(
        sizes, to: StridedView(tensor: y, strides: y.shape.strides),
        from: StridedView(tensor: x.value, offset: offset, strides: part))
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(zeros: x.shape)
        copyElements(
            upstream.shape.dimensions,
            to: StridedView(tensor: dx, offset: offset, strides: part),
            from: StridedView(tensor: upstream, strides: upstream.shape.strides))
        x.tape.addGradient(dx, to: x)
    }
}

/// The elements of a range along an axis.
public func slice(_ x: Variable, axis: Int, _ range: Range<Int>) -> Variable {
    slice(x, axis: axis, from: range.lowerBound, count: range.count)
}

/// Reverses the order along the axes; nil means all.
public func flip(_ x: Variable, axes: [Int]? = nil) -> Variable {
    let axes = x.shape.axes(axes, "flip")
    func flipped(_ x: Tensor) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        var strides = x.shape.strides
        var offset = 0
        for axis in axes where x.shape[axis] > 1 {
            offset += (x.shape[axis] - 1) * strides[axis]
            strides[axis] = -strides[axis]
        }
        copyElements(
            x.shape.dimensions, to: StridedView(tensor: y, strides: x.shape.strides),
            from: StridedView(tensor: x, offset: offset, strides: strides))
        return y
    }
    return x.tape.record(flipped(x.value), from: [x]) { upstream in
        x.tape.addGradient(flipped(upstream), to: x)
    }
}

/// Repeats the whole `repeats[axis]` times along each axis.
public func tile(_ x: Variable, _ repeats: [Int]) -> Variable {
    require(
        repeats.count == x.shape.rank && repeats.allSatisfy { $0 >= 0 },
        "tile: repeats \(repeats) for shape \(x.shape)")
    // [r0, d0, r1, d1, ...]: the r are repeated.
    let pairs = zip(repeats, x.shape.dimensions)
    let single = Shape(x.shape.dimensions.flatMap { [1, $0] })
    let whole = Shape(pairs.flatMap { [$0, $1] })
    let y = repeated(x.value.reshaped(single), to: whole)
    return x.tape.record(y.reshaped(Shape(pairs.map { $0 * $1 })), from: [x]) { upstream in
        let dx = unbroadcast(upstream.reshaped(whole), to: single)
        x.tape.addGradient(dx.reshaped(x.shape), to: x)
    }
}

/// Adds `before` and `after` elements of one value at the ends of each axis.
public func pad(
    _ x: Variable, _ widths: [(before: Int, after: Int)], value: Float = 0
) -> Variable {
    require(
        widths.count == x.shape.rank && widths.allSatisfy { $0.before >= 0 && $0.after >= 0 },
        "pad: widths \(widths) for shape \(x.shape)")
    let shape = Shape(zip(x.shape.dimensions, widths).map { $0 + $1.before + $1.after })
    let y = Tensor(repeating: value, shape)
    let offset = zip(widths, shape.strides).reduce(0) { $0 + $1.0.before * $1.1 }
    copyElements(
        x.shape.dimensions, to: StridedView(tensor: y, offset: offset, strides: shape.strides),
        from: StridedView(tensor: x.value, strides: x.shape.strides))
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        copyElements(
            x.shape.dimensions, to: StridedView(tensor: dx, strides: x.shape.strides),
            from: StridedView(tensor: upstream, offset: offset, strides: shape.strides))
        x.tape.addGradient(dx, to: x)
    }
}
