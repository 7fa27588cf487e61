import Autodiff
import Configuration
import NeuralNetworks

/// x, or a small multiple of x below 0.
struct LeakyReLUKind: ActivationKind {
    static let name = "leakyRelu"
    static let keys = ["negativeSlope"]

    let negativeSlope: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        negativeSlope = try reader.number("negativeSlope", .any) ?? 0.01
    }

    var resolved: [String: ConfigurationValue] { ["negativeSlope": .number(negativeSlope)] }

    var activation: Activation {
        Activation { [slope = Float(negativeSlope)] in leakyRelu($0, slope: slope) }
    }
}
