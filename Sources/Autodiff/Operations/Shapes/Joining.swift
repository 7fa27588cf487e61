import CKernels
import Kernels
import Tensors

// Joining along an axis, and splitting.

/// Joins the inputs along an axis; all other sizes must be equal.
public func concat(_ inputs: [Variable], axis: Int) -> Variable {
    require(!inputs.isEmpty, "concat: no inputs")
    let first = inputs[0].shape
    let axis = first.axis(axis, "concat")
    for input in inputs.dropFirst() {
        let agrees =
            input.shape.rank == first.rank
            && first.dimensions.indices.allSatisfy { $0 == axis || input.shape[$0] == first[$0] }
        require(agrees, "concat: shapes \(first) and \(input.shape) along axis \(axis)")
    }
    var sizes = first.dimensions
    sizes[axis] = inputs.reduce(0) { $0 + $1.shape[axis] }
    let y = Tensor(uninitialized: Shape(sizes))
    let strides = y.shape.strides
    var offset = 0
    for input in inputs {
        copyElements(
            input.shape.dimensions, to: StridedView(tensor: y, offset: offset, strides: strides),
            from: StridedView(tensor: input.value, strides: input.shape.strides))
        offset += input.shape[axis] * strides[axis]
    }
    let tape = inputs[0].tape
    return tape.record(y, from: inputs) { upstream in
        var offset = 0
        for input in inputs {
            if input.isDifferentiated {
                let gradient = Tensor(uninitialized: input.shape)
                copyElements(
                    input.shape.dimensions,
                    to: StridedView(tensor: gradient, strides: input.shape.strides),
                    from: StridedView(tensor: upstream, offset: offset, strides: strides))
                tape.addGradient(gradient, to: input)
            }
            offset += input.shape[axis] * strides[axis]
        }
    }
}

/// Joins inputs of equal shapes along a new axis.
public func stack(_ inputs: [Variable], axis: Int) -> Variable {
    require(!inputs.isEmpty, "stack: no inputs")
    for input in inputs.dropFirst() {
        require(
            input.shape == inputs[0].shape, "stack: shapes \(inputs[0].shape) and \(input.shape)")
    }
    let place = axis < 0 ? axis + inputs[0].shape.rank + 1 : axis
    return concat(inputs.map { unsqueeze($0, axis: place) }, axis: place)
}

/// Cuts x into pieces of these sizes along an axis; together they are the whole.
///
/// The pieces write their gradients into one tensor, so that no piece costs a pass over the whole.
public func split(_ x: Variable, sizes: [Int], axis: Int) -> [Variable] {
    let axis = x.shape.axis(axis, "split")
    require(
        sizes.allSatisfy { $0 >= 0 } && sizes.reduce(0, +) == x.shape[axis],
        "split: sizes \(sizes) of axis \(axis) of shape \(x.shape)")
    let whole = x.tape.record(x.value, from: [x]) { upstream in
        x.tape.addGradient(upstream, to: x)
    }
    let shared = SharedGradient()
    let strides = x.shape.strides
    var offset = 0
    return sizes.map { size in
        var pieceSizes = x.shape.dimensions
        pieceSizes[axis] = size
        let piece = Tensor(uninitialized: Shape(pieceSizes))
        let start = offset
        offset += size * strides[axis]
        copyElements(
            piece.shape.dimensions, to: StridedView(tensor: piece, strides: piece.shape.strides),
            from: StridedView(tensor: x.value, offset: start, strides: strides))
        return x.tape.record(piece, from: [whole]) { upstream in
            copyElements(
                upstream.shape.dimensions,
                to: StridedView(
                    tensor: shared.tensor(for: whole), offset: start, strides: strides),
                from: StridedView(tensor: upstream, strides: upstream.shape.strides))
        }
    }
}

/// The gradient that the pieces of a split write into. It is handed to the tape with the first
/// piece and filled further by the others; the whole's turn comes after that of all pieces.
private final class SharedGradient {
    private var tensor: Tensor?

    func tensor(for whole: Variable) -> Tensor {
        if let tensor { return tensor }
        let fresh = Tensor(zeros: whole.shape)
        whole.tape.addGradient(fresh, to: whole)
        tensor = fresh
        return fresh
    }
}
