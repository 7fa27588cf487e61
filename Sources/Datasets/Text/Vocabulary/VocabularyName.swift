/// What a text is cut into, as a configuration says it.
package enum VocabularyName: String, CaseIterable, Sendable {
    case characters, words, bytePairs

    /// How the vocabulary is made.
    /// - Parameter size: the most symbols of words or byte pairs.
    package func recipe(size: Int) -> VocabularyRecipe {
        switch self {
        case .characters: .characters
        case .words: .words(limit: size, minimumCount: 1)
        case .bytePairs: .bytePairs(mergeCount: max(0, size - 256))
        }
    }
}
