import Configuration
import Datasets
import Learning

/// How pairs of texts become symbols: the task's keys in `data`.
struct PairOptions: Sendable {
    /// What the sources and the targets are cut into.
    private let sourceVocabulary: VocabularyName
    private let targetVocabulary: VocabularyName
    /// Whether both sides have the same symbols with the same numbers.
    private let sharedVocabulary: Bool
    /// The most symbols of a vocabulary of words or byte pairs.
    private let vocabularySize: Int
    /// Pairs with a side of more symbols are left out; the model writes no more than these.
    let lengthLimit: Int
    /// Whether pairs of similar length share a batch.
    let bucketing: Bool
    let lastBatch: StepPlan.LastBatch

    static let keys = [
        "vocabulary", "sourceVocabulary", "targetVocabulary", "sharedVocabulary",
        "vocabularySize", "lengthLimit", "bucketing", "lastBatch",
    ]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let both: VocabularyName = try reader.name("vocabulary") ?? .characters
        sourceVocabulary = try reader.name("sourceVocabulary") ?? both
        targetVocabulary = try reader.name("targetVocabulary") ?? both
        sharedVocabulary = try reader.bool("sharedVocabulary") ?? false
        vocabularySize = try reader.integer("vocabularySize", 2...1_000_000) ?? 8000
        lengthLimit = try reader.integer("lengthLimit", 1...4096) ?? 64
        bucketing = try reader.bool("bucketing") ?? true
        lastBatch = try reader.lastBatch()
        guard !sharedVocabulary || sourceVocabulary == targetVocabulary else {
            throw reader.conflict(
                "sharedVocabulary", "needs a \"sourceVocabulary\" equal to \"targetVocabulary\"")
        }
    }

    var resolved: [String: ConfigurationValue] {
        [
            "sourceVocabulary": .string(sourceVocabulary.rawValue),
            "targetVocabulary": .string(targetVocabulary.rawValue),
            "sharedVocabulary": .bool(sharedVocabulary),
            "vocabularySize": .integer(vocabularySize), "lengthLimit": .integer(lengthLimit),
            "bucketing": .bool(bucketing), "lastBatch": .string(lastBatch.rawValue),
        ]
    }

    /// The vocabularies of the training part.
    func vocabularies(of pairs: PairedText) -> RunVocabularies {
        let source = sourceVocabulary.recipe(size: vocabularySize)
        let target = targetVocabulary.recipe(size: vocabularySize)
        guard !sharedVocabulary else {
            return RunVocabularies(
                shared: Vocabulary(
                    source, of: Array(pairs.sources) + Array(pairs.targets), specialSymbols: true))
        }
        return RunVocabularies(
            source: Vocabulary(source, of: pairs.sources, specialSymbols: true),
            target: Vocabulary(target, of: pairs.targets, specialSymbols: true))
    }

    /// Makes batches of pairs.
    func assembler(
        _ pairs: PairedText, _ vocabularies: RunVocabularies, seed: UInt64
    ) throws(DataError) -> PairAssembler {
        try PairAssembler(
            pairs, sourceVocabulary: vocabularies.source, targetVocabulary: vocabularies.target,
            seed: seed, lengthLimit: lengthLimit)
    }
}
