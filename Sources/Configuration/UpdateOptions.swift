// What goes around the optimizer's rule: bounds of the gradient, parameters with settings of their
// own, and the average of the weights.

/// A bound of a step's whole gradient, after the reduction over all replicas.
package enum ClippingConfiguration: Sendable, Equatable {
    /// A gradient whose Euclidean norm is greater is shortened to it.
    case globalNorm(Double)
    /// Each element by itself.
    case value(Double)

    /// The key "clipping" of `parent`; nil if there is none.
    package init?(in parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("clipping") else { return nil }
        let reader = try parent.object("clipping", keys: ["globalNorm", "value"])
        let norm = try reader.number("globalNorm", .positive)
        let value = try reader.number("value", .positive)
        switch (norm, value) {
        case (let norm?, nil): self = .globalNorm(norm)
        case (nil, let value?): self = .value(value)
        case (nil, nil): throw reader.missing("globalNorm", "\"globalNorm\" or \"value\"")
        default:
            throw reader.conflict("globalNorm", "give either \"globalNorm\" or \"value\", not both")
        }
    }

    package var resolved: ConfigurationValue {
        switch self {
        case .globalNorm(let limit): .object(["globalNorm": .number(limit)])
        case .value(let limit): .object(["value": .number(limit)])
        }
    }
}

/// Parameters, by name, with a rate and a decay of their own. A parameter belongs to the first
/// group that it matches.
package struct ParameterGroupConfiguration: Sendable, Equatable {
    /// A name, or the part of it before a dot; "*" stands for any characters, "?" for one.
    package var match: String
    /// Multiplies the learning rate; 0 leaves the parameters as they are.
    package var learningRateFactor: Double
    /// Multiplies the weight decay.
    package var decayFactor: Double

    package static func list(_ parent: ConfigurationReader) throws(ConfigurationError) -> [Self] {
        var groups: [Self] = []
        for (position, element) in (try parent.list("groups") ?? []).enumerated() {
            let reader = try ConfigurationReader(
                element, origin: parent.origin, path: "\(parent.path("groups")).\(position)",
                keys: ["match", "learningRateFactor", "decayFactor"])
            groups.append(
                Self(
                    match: try reader.required("match", "parameters' names, e.g. \"block1.*\"") {
                        reader, key throws(ConfigurationError) in try reader.text(key)
                    },
                    learningRateFactor: try reader.number("learningRateFactor", .notNegative) ?? 1,
                    decayFactor: try reader.number("decayFactor", .notNegative) ?? 1))
        }
        return groups
    }

    package var resolved: ConfigurationValue {
        .object([
            "match": .string(match), "learningRateFactor": .number(learningRateFactor),
            "decayFactor": .number(decayFactor),
        ])
    }

    /// Whether the parameter called `name` is meant.
    package func matches(_ name: String) -> Bool { NamePattern(match).matches(name) }
}

/// The moving average of the weights: what is measured and kept as the model, in place of the
/// weights of the last step.
package struct AverageConfiguration: Sendable, Equatable {
    /// The share of the old average that stays at each step.
    package var decay: Double
    /// Begins with smaller decays, min(decay, (1 + step) / (10 + step)), so that the initial
    /// weights fade.
    package var warmsUp: Bool

    /// The key "average" of `parent`; nil if there is none.
    package init?(in parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("average") else { return nil }
        let reader = try parent.object("average", keys: ["decay", "warmsUp"])
        decay = try reader.number("decay", .fraction) ?? 0.999
        warmsUp = try reader.bool("warmsUp") ?? true
    }

    package var resolved: ConfigurationValue {
        .object(["decay": .number(decay), "warmsUp": .bool(warmsUp)])
    }
}
