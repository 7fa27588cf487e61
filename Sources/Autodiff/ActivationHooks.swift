import Tensors

// Looking into a pass, and shaping it, without changing the model's arithmetic.
//
// A new differentiable operation needs nothing but the public interface of Tape and Variable:
// compute the value, and hand `record` a closure that turns the gradient of the value into those of
// the inputs. Inside the closure `addGradient` adds to a variable or, with the memory of its
// gradient, to a parameter. The whole of a custom operation, y = x^2 * s with a trained scale s per
// column:
//
//     func scaledSquare(_ x: Variable, scale: Parameter) -> Variable {
//         let rows = x.shape.rows, columns = x.shape.columns
//         let y = Tensor(uninitialized: x.shape)
//         for r in 0..<rows {
//             for c in 0..<columns {
//                 let value = x.value.pointer[r * columns + c]
//                 y.pointer[r * columns + c] = value * value * scale.value.pointer[c]
//             }
//         }
//         return x.tape.record(y, from: [x], using: [scale]) { upstream in
//             x.tape.addGradient(to: scale) { gradient, beta in
//                 for c in 0..<columns {
//                     var sum: Float = 0
//                     for r in 0..<rows {
//                         let value = x.value.pointer[r * columns + c]
//                         sum += upstream.pointer[r * columns + c] * value * value
//                     }
//                     // beta is 0 for the first contribution of a step: it overwrites.
//                     gradient[c] = beta == 0 ? sum : gradient[c] + sum
//                 }
//             }
//             guard x.isDifferentiated else { return }
//             let dx = Tensor(uninitialized: x.shape)
//             for r in 0..<rows {
//                 for c in 0..<columns {
//                     let i = r * columns + c
//                     dx.pointer[i] =
//                         upstream.pointer[i] * 2 * x.value.pointer[i] * scale.value.pointer[c]
//                 }
//             }
//             x.tape.addGradient(dx, to: x)
//         }
//     }
//
// (AutodiffTests/Tape/CustomOperationTests holds this text against the compiler and a gradient
// check.) Rules: a random operation takes its numbers from `Tape.nextRandomCounter`, sums are taken
// in an order that does not depend on the machine, `upstream` may be overwritten where
// `upstream.isUnique()` says so, and a value is never written after it was recorded.

/// Functions that are shown activations and their gradients by name.
///
/// Set it as a tape's `hooks`. The tape's thread calls the functions.
public final class ActivationHooks {
    /// A hook gets the name and the tensor, which it must not change.
    public typealias Hook = (_ name: String, _ tensor: Tensor) -> Void

    private let onValue: Hook?, onGradient: Hook?

    /// - Parameters:
    ///   - onValue: called in the forward pass.
    ///   - onGradient: called in backward, with the whole gradient of the activation. It is called
    ///     for every shown activation that the output depends on, even if everything before it is
    ///     constant.
    public init(onValue: Hook? = nil, onGradient: Hook? = nil) {
        self.onValue = onValue
        self.onGradient = onGradient
    }

    fileprivate func show(_ x: Variable, _ name: String) -> Variable {
        if !x.tape.isRepetition { onValue?(name, x.value) }
        guard let onGradient else { return x }
        guard x.isDifferentiated else { return x.tape.leaf(x) { onGradient(name, $0) } }
        return x.tape.record(x.value, from: [x]) { upstream in
            onGradient(name, upstream)
            x.tape.addGradient(upstream, to: x)
        }
    }
}

/// x itself, shown to the tape's hooks under `name`; costs nothing without hooks.
public func observed(_ x: Variable, as name: String) -> Variable {
    x.tape.hooks?.show(x, name) ?? x
}
