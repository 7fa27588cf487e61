import Autodiff
import Configuration
import NeuralNetworks

/// x, or alpha * (exp(x) - 1) below 0.
struct ELUKind: ActivationKind {
    static let name = "elu"
    static let keys = ["alpha"]

    let alpha: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        alpha = try reader.number("alpha", .any) ?? 1
    }

    var resolved: [String: ConfigurationValue] { ["alpha": .number(alpha)] }

    var activation: Activation { Activation { [value = Float(alpha)] in elu($0, alpha: value) } }
}
