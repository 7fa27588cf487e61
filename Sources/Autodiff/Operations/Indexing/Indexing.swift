import CKernels
import Kernels
import Tensors

// Selecting by integer indices and by masks. Gradients that meet at one place are added in the
// order of the indices.

/// A dense row-major array of integers: which rows or places to take.
public struct Indices: Sendable, Equatable, ExpressibleByArrayLiteral {
    /// The integers.
    public let values: [Int32]
    /// Their shape.
    public let shape: Shape

    /// - Precondition: as many values as the shape holds.
    public init(_ values: [Int32], _ shape: Shape) {
        require(values.count == shape.count, "\(values.count) indices for shape \(shape)")
        self.values = values
        self.shape = shape
    }

    /// A list.
    public init(_ values: [Int32]) { self.init(values, [values.count]) }

    /// A list, as a literal.
    public init(arrayLiteral values: Int32...) { self.init(values) }

    /// The same integers under another shape.
    public func reshaped(_ shape: Shape) -> Indices { Indices(values, shape) }

    /// Ends the program unless all are in 0 ..< bound.
    func requireBelow(_ bound: Int, _ operation: String) {
        if rondo_indices_are_below(values, values.count, Int32(clamping: bound)) { return }
        let wrong = values.first { $0 < 0 || Int($0) >= bound }
        require(false, "\(operation): index \(wrong ?? 0) is outside 0..<\(bound)")
    }
}

/// The slices of x at the indices along an axis, which is replaced by the indices' axes.
public func indexSelect(_ x: Variable, _ indices: Indices, axis: Int = 0) -> Variable {
    let axis = x.shape.axis(axis, "indexSelect")
    let (outer, length, inner) = x.shape.split(at: axis)
    indices.requireBelow(length, "indexSelect")
    let sizes = x.shape.dimensions
    let y = Tensor(
        uninitialized: Shape(
            Array(sizes[..<axis]) + indices.shape.dimensions + Array(sizes[(axis + 1)...])))
    rondo_select_rows(
        y.pointer, x.value.pointer, indices.values, indices.values.count, outer, length, inner)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(zeros: x.shape)
        rondo_add_rows(
            dx.pointer, upstream.pointer, indices.values, indices.values.count, outer, length,
            inner)
        x.tape.addGradient(dx, to: x)
    }
}

/// y[..., l, ...] = x[..., indices[..., l, ...], ...]: one index per element of the result, whose
/// shape is that of x but for the axis.
public func gather(_ x: Variable, _ indices: Indices, axis: Int) -> Variable {
    let axis = x.shape.axis(axis, "gather")
    requireSameButAxis(x.shape, indices.shape, axis, "gather")
    let (outer, length, inner) = x.shape.split(at: axis)
    indices.requireBelow(length, "gather")
    let count = indices.shape[axis]
    let y = Tensor(uninitialized: indices.shape)
    rondo_gather(y.pointer, x.value.pointer, indices.values, outer, count, length, inner)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(zeros: x.shape)
        rondo_scatter_add(dx.pointer, upstream.pointer, indices.values, outer, count, length, inner)
        x.tape.addGradient(dx, to: x)
    }
}

/// x with each element of `source` added at x[..., indices[..., l, ...], ...].
public func scatterAdd(
    _ x: Variable, _ indices: Indices, _ source: Variable, axis: Int
) -> Variable {
    let axis = x.shape.axis(axis, "scatterAdd")
    requireSameButAxis(x.shape, indices.shape, axis, "scatterAdd")
    require(
        source.shape == indices.shape,
        "scatterAdd: indices of shape \(indices.shape) for a source of \(source.shape)")
    let (outer, length, inner) = x.shape.split(at: axis)
    indices.requireBelow(length, "scatterAdd")
    let count = indices.shape[axis]
    let y = x.value.copied()
    rondo_scatter_add(
        y.pointer, source.value.pointer, indices.values, outer, count, length, inner)
    return x.tape.record(y, from: [x, source]) { upstream in
        x.tape.addGradient(upstream, to: x)
        guard source.isDifferentiated else { return }
        let gradient = Tensor(uninitialized: source.shape)
        rondo_gather(
            gradient.pointer, upstream.pointer, indices.values, outer, count, length, inner)
        source.tape.addGradient(gradient, to: source)
    }
}

private func requireSameButAxis(_ x: Shape, _ indices: Shape, _ axis: Int, _ operation: String) {
    require(
        x.rank == indices.rank
            && x.dimensions.indices.allSatisfy { $0 == axis || x[$0] == indices[$0] },
        "\(operation): indices of shape \(indices) for \(x) along axis \(axis)")
}

/// Adds a last axis of this size with 1 at the index and 0 elsewhere.
public func oneHot(_ indices: Indices, size: Int) -> Tensor {
    indices.requireBelow(size, "oneHot")
    let y = Tensor(zeros: Shape(indices.shape.dimensions + [size]))
    for (row, index) in indices.values.enumerated() { y.pointer[row * size + Int(index)] = 1 }
    return y
}

/// a where the condition is not 0, b elsewhere; the three broadcast.
public func select(where condition: Tensor, _ a: Variable, _ b: Variable) -> Variable {
    let shape = Shape.broadcast(
        Shape.broadcast(condition.shape, a.shape, "select"), b.shape, "select")
    func kept(_ x: Tensor, _ operation: rondo_binary_operation) -> Tensor {
        combined(operation, repeated(x, to: shape), condition, "select")
    }
    // The operand that is not chosen is 0 and does not change the sum; -0 becomes 0.
    let y = kept(a.value, rondo_binary_keep_where_not_zero)
    combine(rondo_binary_add, into: y, kept(b.value, rondo_binary_keep_where_zero))
    return a.tape.record(y, from: [a, b]) { upstream in
        if a.isDifferentiated {
            let gradient = kept(upstream, rondo_binary_keep_where_not_zero)
            a.tape.addGradient(unbroadcast(gradient, to: a.shape), to: a)
        }
        if b.isDifferentiated {
            let gradient = kept(upstream, rondo_binary_keep_where_zero)
            b.tape.addGradient(unbroadcast(gradient, to: b.shape), to: b)
        }
    }
}

/// x, but `value` where the mask, which broadcasts to x, is not 0.
public func maskedFill(_ x: Variable, _ mask: Tensor, value: Float) -> Variable {
    require(
        mask.shape.broadcasts(to: x.shape), "maskedFill: mask \(mask.shape) for \(x.shape)")
    let filling = x.tape.constant(Tensor(repeating: value, []))
    return select(where: mask, filling, x)
}
