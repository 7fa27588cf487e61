import Autodiff
import NeuralNetworks

/// 1 / (1 + exp(-x))
struct SigmoidKind: ActivationKind, PlainKind {
    static let name = "sigmoid"
    let activation = Activation.sigmoid
}
