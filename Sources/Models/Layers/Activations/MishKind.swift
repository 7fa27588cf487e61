import Autodiff
import NeuralNetworks

/// x * tanh(ln(1 + exp(x))) (Misra 2019).
struct MishKind: ActivationKind, PlainKind {
    static let name = "mish"
    let activation = Activation { multiply($0, tanh(softplus($0))) }
}
