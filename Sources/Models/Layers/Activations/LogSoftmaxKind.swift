import Autodiff
import NeuralNetworks

/// Logarithms of the shares that softmax gives.
struct LogSoftmaxKind: ActivationKind, PlainKind {
    static let name = "logSoftmax"
    let activation = Activation { logSoftmax($0) }
}
