import Autodiff
import Configuration
import NeuralNetworks

/// x, limited to an interval.
struct HardtanhKind: ActivationKind {
    static let name = "hardtanh"
    static let keys = ["minVal", "maxVal"]

    let minVal: Double
    let maxVal: Double

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        minVal = try reader.number("minVal", .any) ?? -1
        maxVal = try reader.number("maxVal", .any) ?? 1
        guard minVal < maxVal else {
            throw reader.conflict("maxVal", "\(maxVal) is not above a \"minVal\" of \(minVal)")
        }
    }

    var resolved: [String: ConfigurationValue] {
        ["minVal": .number(minVal), "maxVal": .number(maxVal)]
    }

    var activation: Activation {
        Activation { [low = Float(minVal), high = Float(maxVal)] in clip($0, low, high) }
    }
}
