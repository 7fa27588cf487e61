import Autodiff
import NeuralNetworks

/// x Phi(x), exact form, as PyTorch's default.
struct GELUKind: ActivationKind, PlainKind {
    static let name = "gelu"
    let activation = Activation { gelu($0) }
}
