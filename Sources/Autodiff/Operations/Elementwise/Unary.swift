import CKernels
import Kernels
import Tensors

// Elementwise functions of one variable. Each keeps what its derivative needs, x or y, and works in
// place on the upstream gradient where no other tensor shares its memory.

private typealias Forward = (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
private typealias Derivative = (
    UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int
) -> Void

private enum Kept { case input, result }

private func unary(
    _ x: Variable, _ kept: Kept, _ forward: Forward, _ derivative: @escaping Derivative,
    operation: StaticString = #function
) -> Variable {
    let y = Tensor(uninitialized: x.shape)
    forward(y.pointer, x.value.pointer, y.count)
    let saved = kept == .input ? x.value : y
    return x.tape.record(y, from: [x], operation: operation) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: upstream.shape)
        derivative(dx.pointer, upstream.pointer, saved.pointer, dx.count)
        x.tape.addGradient(dx, to: x)
    }
}

/// -x.
public func neg(_ x: Variable) -> Variable {
    unary(
        x, .input, { rondo_negate($0, $1, $2) }, { dx, dy, _, count in rondo_negate(dx, dy, count) }
    )
}

/// |x|; the derivative at 0 is 0.
public func abs(_ x: Variable) -> Variable {
    unary(x, .input, { rondo_absolute($0, $1, $2) }, { rondo_absolute_gradient($0, $1, $2, $3) })
}

/// e to the power x.
public func exp(_ x: Variable) -> Variable {
    unary(x, .result, { rondo_exponential($0, $1, $2) }, { rondo_multiply($0, $1, $2, $3) })
}

/// The natural logarithm: -infinity at 0, NaN below.
public func log(_ x: Variable) -> Variable {
    unary(x, .input, { rondo_logarithm($0, $1, $2) }, { rondo_logarithm_gradient($0, $1, $2, $3) })
}

/// The square root.
public func sqrt(_ x: Variable) -> Variable {
    unary(
        x, .result, { rondo_square_root($0, $1, $2) },
        { rondo_square_root_gradient($0, $1, $2, $3) })
}

/// 1 / sqrt(x).
public func rsqrt(_ x: Variable) -> Variable {
    unary(
        x, .result, { rondo_reciprocal_square_root($0, $1, $2) },
        { rondo_reciprocal_square_root_gradient($0, $1, $2, $3) })
}

/// 1 / x.
public func reciprocal(_ x: Variable) -> Variable {
    unary(
        x, .result, { rondo_reciprocal($0, $1, $2) },
        { rondo_reciprocal_gradient($0, $1, $2, $3) })
}

/// x * x.
public func square(_ x: Variable) -> Variable {
    unary(x, .input, { rondo_square($0, $1, $2) }, { rondo_square_gradient($0, $1, $2, $3) })
}

/// x to the power of a number.
public func pow(_ x: Variable, _ exponent: Float) -> Variable {
    unary(
        x, .input, { rondo_power_scalar($0, $1, $2, exponent) },
        { rondo_power_scalar_gradient($0, $1, $2, $3, exponent) })
}

/// The sine. Exact to about 2 units in the last place for |x| < 1.6e6, to 1e-7 up to 1e9.
public func sin(_ x: Variable) -> Variable {
    unary(x, .input, { rondo_sine($0, $1, $2) }, { rondo_sine_gradient($0, $1, $2, $3) })
}

/// The cosine; accuracy as `sin`.
public func cos(_ x: Variable) -> Variable {
    unary(x, .input, { rondo_cosine($0, $1, $2) }, { rondo_cosine_gradient($0, $1, $2, $3) })
}

/// The error function.
public func erf(_ x: Variable) -> Variable {
    unary(
        x, .input, { rondo_error_function($0, $1, $2) },
        { rondo_error_function_gradient($0, $1, $2, $3) })
}

/// x limited to low...high; outside no gradient flows.
public func clip(_ x: Variable, _ low: Float, _ high: Float) -> Variable {
    require(low <= high, "clip: from \(low) to \(high)")
    return unary(
        x, .input, { rondo_clip($0, $1, $2, low, high) },
        { rondo_clip_gradient($0, $1, $2, $3, low, high) }
    )
}

/// The same value, as a constant: no gradient flows back through it.
public func stopGradient(_ x: Variable) -> Variable { x.tape.constant(x.value) }
