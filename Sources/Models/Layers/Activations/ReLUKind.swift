import Autodiff
import NeuralNetworks

/// max(x, 0); its neighbours may compute it along with their own work.
struct ReLUKind: ActivationKind, PlainKind {
    static let name = "relu"
    let activation = Activation.relu
}
