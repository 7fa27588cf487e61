import NeuralNetworks

/// The first values of a layer's weights, by the names that a configuration uses.
enum InitializerName: String, CaseIterable, Sendable {
    /// PyTorch's default for linear and convolution layers.
    case kaimingUniform
    case kaimingNormal
    case xavierUniform
    case xavierNormal

    var initializer: Initializer {
        switch self {
        case .kaimingUniform: .kaimingUniform
        case .kaimingNormal: .kaimingNormal
        case .xavierUniform: .xavierUniform
        case .xavierNormal: .xavierNormal
        }
    }
}
