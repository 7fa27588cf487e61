import CKernels
import Tensors

/// exp(x) over its sum along the last axis. A row of nothing but -infinity gives NaN.
public func softmax(_ x: Variable) -> Variable {
    let rows = x.shape.rows
    let columns = x.shape.columns
    let y = Tensor(uninitialized: x.shape)
    rondo_softmax(y.pointer, x.value.pointer, rows, columns)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: y.shape)
        rondo_softmax_gradient(dx.pointer, upstream.pointer, y.pointer, rows, columns)
        x.tape.addGradient(dx, to: x)
    }
}

/// The logarithm of `softmax` along the last axis, without underflow.
public func logSoftmax(_ x: Variable) -> Variable {
    let rows = x.shape.rows
    let columns = x.shape.columns
    let y = Tensor(uninitialized: x.shape)
    rondo_log_softmax(y.pointer, x.value.pointer, rows, columns)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: y.shape)
        rondo_log_softmax_gradient(dx.pointer, upstream.pointer, y.pointer, rows, columns)
        x.tape.addGradient(dx, to: x)
    }
}
