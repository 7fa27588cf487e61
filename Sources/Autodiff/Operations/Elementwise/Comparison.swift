import CKernels
import Tensors

// Comparisons and logic. They have no derivative, so they take and return tensors: 1 for true, 0
// for false, and everything but 0 counts as true. Shapes broadcast.

/// a == b.
public func equal(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_equal, a, b, "equal")
}

/// a != b.
public func notEqual(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_not_equal, a, b, "notEqual")
}

/// a < b.
public func less(_ a: Tensor, _ b: Tensor) -> Tensor { combined(rondo_binary_less, a, b, "less") }

/// a <= b.
public func lessOrEqual(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_less_or_equal, a, b, "lessOrEqual")
}

/// a > b.
public func greater(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_greater, a, b, "greater")
}

/// a >= b.
public func greaterOrEqual(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_greater_or_equal, a, b, "greaterOrEqual")
}

/// a and b.
public func logicalAnd(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_and, a, b, "logicalAnd")
}

/// a or b.
public func logicalOr(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_or, a, b, "logicalOr")
}

/// Either a or b.
public func logicalXor(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(rondo_binary_xor, a, b, "logicalXor")
}

/// Not x.
public func logicalNot(_ x: Tensor) -> Tensor {
    let y = Tensor(uninitialized: x.shape)
    rondo_logical_not(y.pointer, x.pointer, y.count)
    return y
}
