import Configuration

// Networks that turn one sequence into another: an encoder that reads the source and a decoder that
// writes the target, symbol by symbol.

/// The `type` of a model.
package enum ModelTypeName: String, CaseIterable, Sendable {
    case layers, recurrentTranslator, transformerTranslator, custom
}

/// A recurrent encoder and decoder with attention.
package struct RecurrentTranslatorOptions: Sendable, Equatable {
    package enum Cell: String, CaseIterable, Sendable { case lstm, gru }
    package enum Attention: String, CaseIterable, Sendable {
        /// Bahdanau's: a small network scores each pair of states.
        case additive
        /// Luong's "general": a bilinear form scores each pair of states.
        case multiplicative
        /// The decoder knows the source by its first state alone.
        case none
    }

    package var cell: Cell
    /// Size of the hidden states.
    package var width: Int
    /// Size of the embeddings.
    package var embedding: Int
    /// Layers in the encoder and in the decoder.
    package var layers: Int
    /// Whether the encoder reads in both directions.
    package var bidirectional: Bool
    package var attention: Attention
    /// Dropout of the embeddings, between layers and before the output.
    package var dropout: Double

    package static let keys = [
        "cell", "width", "embedding", "layers", "bidirectional", "attention", "dropout",
    ]

    package init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        cell = try reader.name("cell") ?? .gru
        width = try reader.requiredInteger("width", 1...65_536)
        embedding = try reader.integer("embedding", 1...65_536) ?? width
        layers = try reader.integer("layers", 1...64) ?? 1
        bidirectional = try reader.bool("bidirectional") ?? true
        attention = try reader.name("attention") ?? .additive
        dropout = try reader.number("dropout", .fraction) ?? 0
    }

    package var members: [String: ConfigurationValue] {
        [
            "cell": .string(cell.rawValue), "width": .integer(width),
            "embedding": .integer(embedding), "layers": .integer(layers),
            "bidirectional": .bool(bidirectional), "attention": .string(attention.rawValue),
            "dropout": .number(dropout),
        ]
    }
}

/// The encoder and decoder of "Attention is all you need", with the norms first.
package struct TransformerTranslatorOptions: Sendable, Equatable {
    package var width: Int
    package var heads: Int
    package var encoderLayers: Int
    package var decoderLayers: Int
    package var feedForward: Int
    /// Dropout of the embeddings, of the attention weights and of what each branch adds.
    package var dropout: Double

    package static let keys = [
        "width", "heads", "encoderLayers", "decoderLayers", "feedForward", "dropout",
    ]

    package init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        width = try reader.requiredInteger("width", 1...65_536)
        heads = try reader.requiredInteger("heads", 1...1024)
        encoderLayers = try reader.integer("encoderLayers", 1...64) ?? 2
        decoderLayers = try reader.integer("decoderLayers", 1...64) ?? 2
        feedForward = try reader.integer("feedForward", 1...1_048_576) ?? 4 * width
        dropout = try reader.number("dropout", .fraction) ?? 0
        guard width % heads == 0 else {
            throw reader.conflict("heads", "\(heads) do not divide a \"width\" of \(width)")
        }
    }

    package var members: [String: ConfigurationValue] {
        [
            "width": .integer(width), "heads": .integer(heads),
            "encoderLayers": .integer(encoderLayers), "decoderLayers": .integer(decoderLayers),
            "feedForward": .integer(feedForward), "dropout": .number(dropout),
        ]
    }
}
