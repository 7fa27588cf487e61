import CKernels
import Kernels
import Tensors

/// Zeroes each element with `probability` in training and divides the others by 1 - probability
/// (Srivastava et al. 2014, inverted form); returns x itself in evaluation.
///
/// The mask is a pure function of (seed, step, replica, micro-batch, which call of the pass): it
/// does not depend on the worker that computes the replica, and backward computes it again instead
/// of keeping it.
public func dropout(_ x: Variable, probability: Float) -> Variable {
    require(probability >= 0 && probability < 1, "dropout probability \(probability)")
    let settings = x.tape.settings
    guard settings.isTraining, probability > 0 else { return x }
    let (call, step, replica) = x.tape.nextRandomCounter()
    let threshold = UInt32(Double(probability) * 4_294_967_296)
    let scale = 1 / (1 - probability)
    func masked(_ source: Tensor, into destination: Tensor) {
        let counter = [call, step, replica]
        rondo_dropout(
            destination.pointer, source.pointer, source.count, settings.randomKey, counter,
            threshold, scale)
    }
    let y = Tensor(uninitialized: x.shape)
    masked(x.value, into: y)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: x.shape)
        masked(upstream, into: dx)
        x.tape.addGradient(dx, to: x)
    }
}
