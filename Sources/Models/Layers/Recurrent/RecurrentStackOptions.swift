// Options of the layers that work on sequences.

/// A stack of recurrent layers.
package struct RecurrentStackOptions: Sendable, Equatable {
    /// What goes around each layer of the stack whose output is as wide as its input.
    package enum Skip: String, CaseIterable, Sendable { case none, residual, highway }
    package enum Nonlinearity: String, CaseIterable, Sendable { case tanh, relu }

    package var hiddenSize: Int
    package var layers: Int
    /// A second direction from the end to the start; with skips a stack of its own beside the first.
    package var bidirectional: Bool
    /// Between the layers of the stack.
    package var dropout: Double
    package var skip: Skip
    /// Of a plain recurrent network only.
    package var nonlinearity: Nonlinearity

    package init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        hiddenSize = try reader.required("hiddenSize", "a whole number") {
            reader, key throws(ConfigurationError) in try reader.integer(key, 1...65_536)
        }
        layers = try reader.integer("layers", 1...64) ?? 1
        bidirectional = try reader.bool("bidirectional") ?? false
        dropout = try reader.number("dropout", .fraction) ?? 0
        skip = try reader.name("skip") ?? .none
        nonlinearity = try reader.name("nonlinearity") ?? .tanh
    }

    package static let keys = ["hiddenSize", "layers", "bidirectional", "dropout", "skip"]

    func members(nonlinearity isPlain: Bool) -> [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = [
            "hiddenSize": .integer(hiddenSize), "layers": .integer(layers),
            "bidirectional": .bool(bidirectional), "dropout": .number(dropout),
            "skip": .string(skip.rawValue),
        ]
        if isPlain { members["nonlinearity"] = .string(nonlinearity.rawValue) }
        return members
    }
}

/// One block of a Transformer.
package struct TransformerBlockOptions: Sendable, Equatable {
    package var heads: Int
    package var feedForward: Int
    package var dropout: Double
    /// Each position sees itself and those before it.
    package var causal: Bool

    package init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        heads = try reader.required("heads", "a whole number") {
            reader, key throws(ConfigurationError) in try reader.integer(key, 1...1024)
        }
        feedForward = try reader.required("feedForward", "a whole number") {
            reader, key throws(ConfigurationError) in try reader.integer(key, 1...1_048_576)
        }
        dropout = try reader.number("dropout", .fraction) ?? 0
        causal = try reader.bool("causal") ?? true
    }

    package static let keys = ["heads", "feedForward", "dropout", "causal"]

    package var members: [String: ConfigurationValue] {
        [
            "heads": .integer(heads), "feedForward": .integer(feedForward),
            "dropout": .number(dropout), "causal": .bool(causal),
        ]
    }
}

/// How many features a linear layer gives.
package enum FeatureCount: Sendable, Equatable {
    case count(Int)
    /// As many as the task has classes or symbols.
    case outputs

    package var resolved: ConfigurationValue {
        switch self {
        case .count(let count): .integer(count)
        case .outputs: .string("outputs")
        }
    }
}
