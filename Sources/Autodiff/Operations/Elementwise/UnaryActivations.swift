import CKernels
import Tensors

// Activations that keep their input: their derivative is not a simple function of the result.

private func activation(
    _ x: Variable, _ forward: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void,
    _ derivative:
        @escaping (
            UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int
        ) -> Void, operation: StaticString = #function
) -> Variable {
    let y = Tensor(uninitialized: x.shape)
    forward(y.pointer, x.value.pointer, y.count)
    return x.tape.record(y, from: [x], operation: operation) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: upstream.shape)
        derivative(dx.pointer, upstream.pointer, x.value.pointer, dx.count)
        x.tape.addGradient(dx, to: x)
    }
}

/// x, or slope * x below 0 (Maas et al. 2013).
public func leakyRelu(_ x: Variable, slope: Float = 0.01) -> Variable {
    activation(
        x, { rondo_leaky_relu($0, $1, $2, slope) },
        { rondo_leaky_relu_gradient($0, $1, $2, $3, slope) })
}

/// x, or alpha * (exp(x) - 1) below 0 (Clevert et al. 2015).
public func elu(_ x: Variable, alpha: Float = 1) -> Variable {
    activation(
        x, { rondo_elu($0, $1, $2, alpha) }, { rondo_elu_gradient($0, $1, $2, $3, alpha) })
}

/// The two forms of GELU (Hendrycks and Gimpel 2016).
public enum GELUForm: Sendable {
    /// x times the normal distribution function.
    case erf
    /// Its approximation with the hyperbolic tangent, as in GPT-2.
    case tanh
}

/// x times the probability that a standard normal number is below x.
public func gelu(_ x: Variable, _ form: GELUForm = .erf) -> Variable {
    switch form {
    case .erf:
        activation(
            x, { rondo_gelu_erf($0, $1, $2) }, { rondo_gelu_erf_gradient($0, $1, $2, $3) })
    case .tanh:
        activation(
            x, { rondo_gelu_tanh($0, $1, $2) }, { rondo_gelu_tanh_gradient($0, $1, $2, $3) })
    }
}

/// x * sigmoid(x), also called swish.
public func silu(_ x: Variable) -> Variable {
    activation(x, { rondo_silu($0, $1, $2) }, { rondo_silu_gradient($0, $1, $2, $3) })
}

/// ln(1 + exp(x)), without overflow.
public func softplus(_ x: Variable) -> Variable {
    activation(x, { rondo_softplus($0, $1, $2) }, { rondo_softplus_gradient($0, $1, $2, $3) })
}

/// ln(sigmoid(x)), without underflow.
public func logSigmoid(_ x: Variable) -> Variable {
    activation(
        x, { rondo_log_sigmoid($0, $1, $2) }, { rondo_log_sigmoid_gradient($0, $1, $2, $3) })
}
