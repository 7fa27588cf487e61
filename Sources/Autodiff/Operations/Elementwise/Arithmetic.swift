import CKernels
import Tensors

// Arithmetic of two variables whose shapes broadcast. The gradient of an operand that was repeated
// is the sum over its repetitions.

private func binary(
    _ operation: rondo_binary_operation, _ name: String, _ a: Variable, _ b: Variable,
    gradients: @escaping (_ upstream: inout Tensor, _ y: Tensor) -> (() -> Tensor, () -> Tensor)
) -> Variable {
    let y = combined(operation, a.value, b.value, name)
    return a.tape.record(y, from: [a, b]) { upstream in
        let (gradientOfA, gradientOfB) = gradients(&upstream, y)
        if a.isDifferentiated {
            a.tape.addGradient(unbroadcast(gradientOfA(), to: a.shape), to: a)
        }
        if b.isDifferentiated {
            b.tape.addGradient(unbroadcast(gradientOfB(), to: b.shape), to: b)
        }
    }
}

/// a + b, broadcasting.
public func add(_ a: Variable, _ b: Variable) -> Variable {
    let y: Tensor
    if a.shape == b.shape {
        // Equal shapes, as at the end of each residual block, need no strides.
        y = Tensor(uninitialized: a.shape)
        rondo_sum(y.pointer, a.value.pointer, b.value.pointer, y.count)
    } else {
        y = combined(rondo_binary_add, a.value, b.value, "add")
    }
    return a.tape.record(y, from: [a, b]) { upstream in
        a.tape.addGradient(unbroadcast(upstream, to: a.shape), to: a)
        b.tape.addGradient(unbroadcast(upstream, to: b.shape), to: b)
    }
}

/// a - b, broadcasting.
public func subtract(_ a: Variable, _ b: Variable) -> Variable {
    let y = combined(rondo_binary_subtract, a.value, b.value, "subtract")
    return a.tape.record(y, from: [a, b]) { upstream in
        a.tape.addGradient(unbroadcast(upstream, to: a.shape), to: a)
        guard b.isDifferentiated else { return }
        let summed = unbroadcast(upstream, to: b.shape)
        let gradient = Tensor(uninitialized: b.shape)
        rondo_negate(gradient.pointer, summed.pointer, summed.count)
        b.tape.addGradient(gradient, to: b)
    }
}

/// a * b, elementwise, broadcasting.
public func multiply(_ a: Variable, _ b: Variable) -> Variable {
    let y = combined(rondo_binary_multiply, a.value, b.value, "multiply")
    return a.tape.record(y, from: [a, b]) { upstream in
        if a.isDifferentiated {
            let gradient = combined(rondo_binary_multiply, upstream, b.value, "multiply")
            a.tape.addGradient(unbroadcast(gradient, to: a.shape), to: a)
        }
        if b.isDifferentiated {
            let gradient = combined(rondo_binary_multiply, upstream, a.value, "multiply")
            b.tape.addGradient(unbroadcast(gradient, to: b.shape), to: b)
        }
    }
}

/// a / b, broadcasting.
public func divide(_ a: Variable, _ b: Variable) -> Variable {
    let y = combined(rondo_binary_divide, a.value, b.value, "divide")
    return a.tape.record(y, from: [a, b]) { upstream in
        let quotient = combined(rondo_binary_divide, upstream, b.value, "divide")
        if b.isDifferentiated {
            let gradient = combined(rondo_binary_multiply, quotient, y, "divide")
            rondo_negate(gradient.pointer, gradient.pointer, gradient.count)
            b.tape.addGradient(unbroadcast(gradient, to: b.shape), to: b)
        }
        if a.isDifferentiated {
            a.tape.addGradient(unbroadcast(quotient, to: a.shape), to: a)
        }
    }
}

/// The larger of a and b, broadcasting; equals share the gradient, NaN stays.
public func maximum(_ a: Variable, _ b: Variable) -> Variable {
    extremum(rondo_binary_maximum, rondo_binary_maximum_share, "maximum", a, b)
}

/// The smaller of a and b, broadcasting; equals share the gradient, NaN stays.
public func minimum(_ a: Variable, _ b: Variable) -> Variable {
    extremum(rondo_binary_minimum, rondo_binary_minimum_share, "minimum", a, b)
}

private func extremum(
    _ operation: rondo_binary_operation, _ share: rondo_binary_operation, _ name: String,
    _ a: Variable, _ b: Variable
) -> Variable {
    binary(operation, name, a, b) { upstream, _ in
        let upstream = upstream
        return (
            {
                let shares = combined(share, a.value, b.value, name)
                combine(rondo_binary_multiply, into: shares, upstream)
                return shares
            },
            {
                let shares = combined(share, b.value, a.value, name)
                combine(rondo_binary_multiply, into: shares, upstream)
                return shares
            }
        )
    }
}

/// a to the power b, broadcasting. The base may be negative where the exponent is an integer; the
/// gradient of the exponent is then not a number, and 0 at a base of 0.
public func pow(_ a: Variable, _ b: Variable) -> Variable {
    binary(rondo_binary_power, "pow", a, b) { upstream, _ in
        let upstream = upstream
        func slope(_ operation: rondo_binary_operation) -> Tensor {
            let slopes = combined(operation, a.value, b.value, "pow")
            combine(rondo_binary_multiply, into: slopes, upstream)
            return slopes
        }
        return (
            { slope(rondo_binary_power_base_slope) },
            { slope(rondo_binary_power_exponent_slope) }
        )
    }
}

extension Variable {
    /// a + b, broadcasting.
    public static func + (a: Variable, b: Variable) -> Variable { add(a, b) }
    /// a - b, broadcasting.
    public static func - (a: Variable, b: Variable) -> Variable { subtract(a, b) }
    /// a * b, elementwise, broadcasting.
    public static func * (a: Variable, b: Variable) -> Variable { multiply(a, b) }
    /// a / b, broadcasting.
    public static func / (a: Variable, b: Variable) -> Variable { divide(a, b) }
    /// -x.
    public static prefix func - (x: Variable) -> Variable { neg(x) }

    /// x + number.
    public static func + (x: Variable, number: Float) -> Variable { shifted(x, by: number) }
    /// number + x.
    public static func + (number: Float, x: Variable) -> Variable { shifted(x, by: number) }
    /// x - number.
    public static func - (x: Variable, number: Float) -> Variable { shifted(x, by: -number) }
    /// number - x.
    public static func - (number: Float, x: Variable) -> Variable { shifted(neg(x), by: number) }
    /// x * number.
    public static func * (x: Variable, number: Float) -> Variable { scaled(x, by: number) }
    /// number * x.
    public static func * (number: Float, x: Variable) -> Variable { scaled(x, by: number) }
    /// x / number, rounded once per element.
    public static func / (x: Variable, number: Float) -> Variable {
        divide(x, x.tape.constant(Tensor(repeating: number, [])))
    }
    /// number / x.
    public static func / (number: Float, x: Variable) -> Variable {
        divide(x.tape.constant(Tensor(repeating: number, [])), x)
    }
}

private func shifted(_ x: Variable, by number: Float) -> Variable {
    let y = Tensor(uninitialized: x.shape)
    rondo_add_scalar(y.pointer, x.value.pointer, y.count, number)
    return x.tape.record(y, from: [x]) { upstream in x.tape.addGradient(upstream, to: x) }
}

private func scaled(_ x: Variable, by number: Float) -> Variable {
    let y = Tensor(uninitialized: x.shape)
    rondo_multiply_scalar(y.pointer, x.value.pointer, y.count, number)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: upstream.shape)
        rondo_multiply_scalar(dx.pointer, upstream.pointer, dx.count, number)
        x.tape.addGradient(dx, to: x)
    }
}
