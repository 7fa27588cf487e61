import Autodiff
import NeuralNetworks

/// ln(1 + exp(x))
struct SoftplusKind: ActivationKind, PlainKind {
    static let name = "softplus"
    let activation = Activation { softplus($0) }
}
