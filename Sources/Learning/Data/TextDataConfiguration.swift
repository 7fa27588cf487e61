// One text, cut into windows; its first part is trained on, the rest measured.

import Configuration

package struct TextDataConfiguration: Sendable, Equatable {
    /// What the text is cut into.
    package enum Vocabulary: String, CaseIterable, Sendable { case characters, words, bytePairs }
    package enum Windows: String, CaseIterable, Sendable {
        /// Side by side: an epoch reads each symbol once.
        case tiled
        /// Anywhere, as many an epoch as cover the text's length once.
        case random
    }

    /// A file in UTF-8.
    package var path: String
    package var vocabulary: Vocabulary
    /// The most symbols of a vocabulary of words or byte pairs.
    package var vocabularySize: Int
    /// The share of the characters, at the end of the text, that is not trained on.
    package var validationShare: Double
    /// Symbols of a window.
    package var context: Int
    package var windows: Windows
    package var lastBatch: DataConfiguration.LastBatch

    static let keys = [
        "format", "path", "vocabulary", "vocabularySize", "validationShare", "context", "windows",
        "lastBatch",
    ]

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("data", keys: Self.keys)
        path = try reader.required("path", "the path of a text file") {
            reader, key throws(ConfigurationError) in try reader.text(key)
        }
        vocabulary = try reader.name("vocabulary") ?? .characters
        vocabularySize = try reader.integer("vocabularySize", 2...1_000_000) ?? 1000
        validationShare = try reader.number("validationShare", .fraction) ?? 0.1
        guard validationShare > 0 else {
            throw reader.outOfRange("validationShare", "above 0 and below 1", "0")
        }
        context = try reader.integer("context", 1...65_536) ?? 64
        windows = try reader.name("windows") ?? .tiled
        lastBatch = try reader.name("lastBatch") ?? .pad
    }

    var resolved: ConfigurationValue {
        .object([
            "format": .string(DataConfiguration.Format.text.rawValue), "path": .string(path),
            "vocabulary": .string(vocabulary.rawValue),
            "vocabularySize": .integer(vocabularySize),
            "validationShare": .number(validationShare), "context": .integer(context),
            "windows": .string(windows.rawValue), "lastBatch": .string(lastBatch.rawValue),
        ])
    }
}
