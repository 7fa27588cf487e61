import Autodiff
import NeuralNetworks

/// ln(sigmoid(x))
struct LogSigmoidKind: ActivationKind, PlainKind {
    static let name = "logSigmoid"
    let activation = Activation { logSigmoid($0) }
}
