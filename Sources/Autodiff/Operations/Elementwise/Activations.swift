import CKernels
import Tensors

// Activations whose derivative is a function of their own output, so that only y is kept.

private typealias Forward = (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
private typealias Derivative = (
    UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int
) -> Void

private func activation(
    _ x: Variable, _ forward: Forward, _ derivative: @escaping Derivative,
    operation: StaticString = #function
) -> Variable {
    let y = Tensor(uninitialized: x.shape)
    forward(y.pointer, x.value.pointer, y.count)
    return x.tape.record(y, from: [x], operation: operation) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: y.shape)
        derivative(dx.pointer, upstream.pointer, y.pointer, y.count)
        x.tape.addGradient(dx, to: x)
    }
}

/// max(x, 0).
public func relu(_ x: Variable) -> Variable {
    activation(x, { rondo_relu($0, $1, $2) }, { rondo_relu_gradient($0, $1, $2, $3) })
}

/// The hyperbolic tangent.
public func tanh(_ x: Variable) -> Variable {
    activation(x, { rondo_tanh($0, $1, $2) }, { rondo_tanh_gradient($0, $1, $2, $3) })
}

/// 1 / (1 + exp(-x)).
public func sigmoid(_ x: Variable) -> Variable {
    activation(x, { rondo_sigmoid($0, $1, $2) }, { rondo_sigmoid_gradient($0, $1, $2, $3) })
}
