import CKernels
import Kernels
import Tensors

/// y = x + g (h - x) with the gate g = 1 / (1 + exp(-gateLogits)): a highway connection around the
/// layers that turned x into h (Srivastava, Greff and Schmidhuber 2015, equation 3).
///
/// - Parameters: x, transformed (h) and gateLogits have the same shape.
public func highway(_ x: Variable, transformed: Variable, gateLogits: Variable) -> Variable {
    require(
        x.shape == transformed.shape && x.shape == gateLogits.shape,
        "highway: \(x.shape), \(transformed.shape), \(gateLogits.shape)")
    let y = Tensor(uninitialized: x.shape)
    let gate = Tensor(uninitialized: x.shape)
    rondo_highway(
        y.pointer, gate.pointer, gateLogits.value.pointer, transformed.value.pointer,
        x.value.pointer, y.count)
    return x.tape.record(y, from: [x, transformed, gateLogits]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        let dTransformed = Tensor(uninitialized: x.shape)
        let dLogits = Tensor(uninitialized: x.shape)
        rondo_highway_gradient(
            dx.pointer, dTransformed.pointer, dLogits.pointer, upstream.pointer, gate.pointer,
            transformed.value.pointer, x.value.pointer, dx.count)
        x.tape.addGradient(dx, to: x)
        x.tape.addGradient(dTransformed, to: transformed)
        x.tape.addGradient(dLogits, to: gateLogits)
    }
}
