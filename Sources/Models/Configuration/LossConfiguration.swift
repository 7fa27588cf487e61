import Configuration

// The loss that training minimises. An evaluation measures the plain loss whatever is minimised, so
// that runs with different options can be compared.

/// The loss of a network that is a list of layers.
package struct LossConfiguration: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable { case crossEntropy }

    package var kind: Kind
    /// The share of each target that is spread evenly over all classes.
    package var labelSmoothing: Double
    /// A factor for the losses of each class; the mean is taken over the sum of the factors.
    package var classWeights: [Double]?

    /// The key "loss" of `parent`: a name, or an object with options.
    package init(in parent: ConfigurationReader) throws(ConfigurationError) {
        labelSmoothing = 0
        if case .string = parent.value("loss") {
            kind = try parent.name("loss") ?? .crossEntropy
            return
        }
        let reader = try parent.object("loss", keys: ["type", "labelSmoothing", "classWeights"])
        kind = try reader.name("type") ?? .crossEntropy
        labelSmoothing = try reader.number("labelSmoothing", .fraction) ?? 0
        classWeights = try reader.numbers("classWeights", .notNegative)
        if let classWeights, !classWeights.contains(where: { $0 > 0 }) {
            throw reader.conflict("classWeights", "one of them has to be above 0")
        }
    }

    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "type": .string(kind.rawValue), "labelSmoothing": .number(labelSmoothing),
        ]
        members["classWeights"] = classWeights.map { .array($0.map { .number($0) }) }
        return .object(members)
    }
}
