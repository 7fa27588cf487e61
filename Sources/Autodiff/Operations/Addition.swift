import CKernels
import Tensors

/// a + b, of equal shapes: the sum at the end of a residual block.
public func add(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.shape == b.shape, "add: \(a.shape) and \(b.shape)")
    let y = Tensor(uninitialized: a.shape)
    rondo_sum(y.pointer, a.value.pointer, b.value.pointer, y.count)
    return a.tape.record(y, from: [a, b]) { upstream in
        a.tape.addGradient(upstream, to: a)
        b.tape.addGradient(upstream, to: b)
    }
}
