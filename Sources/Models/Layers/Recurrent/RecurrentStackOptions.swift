import Configuration

/// The options of a stack of recurrent layers.
struct RecurrentStackOptions: Sendable {
    static let keys = [
        "hiddenSize", "layers", "bidirectional", "bias", "dropout", "skip",
    ]

    /// What goes around each layer of the stack whose output is as wide as its input.
    enum Skip: String, CaseIterable, Sendable { case none, residual, highway }

    let hiddenSize: Int
    let layers: Int
    /// Whether there is a second direction, from the end to the start; with skips it is a stack of
    /// its own beside the first.
    let bidirectional: Bool
    let bias: Bool
    /// Dropout between the layers of the stack.
    let dropout: Double
    let skip: Skip

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        hiddenSize = try reader.requiredInteger("hiddenSize", 1...65_536)
        layers = try reader.integer("layers", 1...64) ?? 1
        bidirectional = try reader.bool("bidirectional") ?? false
        bias = try reader.bool("bias") ?? true
        dropout = try reader.number("dropout", .fraction) ?? 0
        skip = try reader.name("skip") ?? .none
    }

    var resolved: [String: ConfigurationValue] {
        [
            "hiddenSize": .integer(hiddenSize), "layers": .integer(layers),
            "bidirectional": .bool(bidirectional), "bias": .bool(bias), "dropout": .number(dropout),
            "skip": .string(skip.rawValue),
        ]
    }

    var outputFeatures: Int { hiddenSize * (bidirectional ? 2 : 1) }
}
