import Autodiff
import NeuralNetworks

/// Shares that add up to 1: over the features, or the channels of each pixel.
struct SoftmaxKind: ActivationKind, PlainKind {
    static let name = "softmax"
    let activation = Activation { softmax($0) }
}
