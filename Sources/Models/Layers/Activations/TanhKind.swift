import Autodiff
import NeuralNetworks

/// The hyperbolic tangent.
struct TanhKind: ActivationKind, PlainKind {
    static let name = "tanh"
    let activation = Activation.tanh
}
