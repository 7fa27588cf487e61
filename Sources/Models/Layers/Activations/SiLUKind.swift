import Autodiff
import NeuralNetworks

/// x * sigmoid(x), also called swish.
struct SiLUKind: ActivationKind, PlainKind {
    static let name = "silu"
    let activation = Activation { silu($0) }
}
