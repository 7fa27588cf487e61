import Configuration
import Datasets

/// How a text becomes windows of symbols: the task's keys in `data`.
struct TextOptions: Sendable {
    private enum Windows: String, CaseIterable, Sendable {
        /// Side by side: an epoch reads each symbol once.
        case tiled
        /// Anywhere, as many an epoch as cover the text's length once.
        case random
    }

    /// What the text is cut into.
    private let vocabulary: VocabularyName
    /// The most symbols of a vocabulary of words or byte pairs.
    private let vocabularySize: Int
    /// Symbols of a window.
    let context: Int
    private let windows: Windows
    let lastBatch: StepPlan.LastBatch

    static let keys = ["vocabulary", "vocabularySize", "context", "windows", "lastBatch"]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        vocabulary = try reader.name("vocabulary") ?? .characters
        vocabularySize = try reader.integer("vocabularySize", 2...1_000_000) ?? 1000
        context = try reader.integer("context", 1...65_536) ?? 64
        windows = try reader.name("windows") ?? .tiled
        lastBatch = try reader.lastBatch()
    }

    var resolved: [String: ConfigurationValue] {
        [
            "vocabulary": .string(vocabulary.rawValue),
            "vocabularySize": .integer(vocabularySize), "context": .integer(context),
            "windows": .string(windows.rawValue), "lastBatch": .string(lastBatch.rawValue),
        ]
    }

    var recipe: VocabularyRecipe { vocabulary.recipe(size: vocabularySize) }

    var sampling: WindowSampling {
        switch windows {
        case .tiled: .tiled
        case .random: .random(perEpoch: nil)
        }
    }

    func windows(
        _ tokens: [Int32], name: String, seed: UInt64, _ sampling: WindowSampling
    ) throws(DataError) -> WindowAssembler {
        try WindowAssembler(
            name: name, tokens: tokens, context: context, seed: seed, sampling: sampling)
    }
}
