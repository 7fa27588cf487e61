import Autodiff
import Configuration
import NeuralNetworks

/// x times the probability that a standard normal number is below x.
struct GELUKind: ActivationKind {
    static let name = "gelu"
    static let keys = ["approximate"]

    /// PyTorch's names of the forms.
    enum Approximation: String, CaseIterable, Sendable { case none, tanh }

    let approximate: Approximation

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        approximate = try reader.name("approximate") ?? .none
    }

    var resolved: [String: ConfigurationValue] { ["approximate": .string(approximate.rawValue)] }

    var activation: Activation {
        let form: GELUForm = approximate == .tanh ? .tanh : .erf
        return Activation { gelu($0, form) }
    }
}
