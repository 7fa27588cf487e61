// Words as tokens. What is a word is decided by white space alone: corpora for word models come
// with their punctuation set apart, and a rule that does so here could not be undone when decoding.

/// The words of a vocabulary, as bytes: Swift's strings are equal when they look the same, words
/// when they are written the same.
struct WordTable: Equatable, Sendable {
    /// Longer ones are never in the table.
    static let byteCountLimit = 256
    static let lineBreak: ArraySlice<UInt8> = [0x0a]

    let words: [ArraySlice<UInt8>]
    private let indices: [ArraySlice<UInt8>: Int32]

    var count: Int { words.count }

    /// - Precondition: no word comes twice.
    init(words: [ArraySlice<UInt8>]) {
        self.words = words
        indices = Dictionary(
            uniqueKeysWithValues: words.enumerated().map { ($1, Int32($0)) })
    }

    /// The most frequent words, equally frequent ones in the order of their bytes.
    init(of pieces: some Sequence<ArraySlice<UInt8>>, limit: Int, minimumCount: Int) {
        var counts: [ArraySlice<UInt8>: Int] = [:]
        for piece in pieces {
            Self.forEachWord(piece) { word in
                if word.count <= Self.byteCountLimit { counts[word, default: 0] += 1 }
            }
        }
        let sorted = counts.filter { $0.value >= minimumCount }.sorted { one, other in
            one.value != other.value
                ? one.value > other.value : one.key.lexicographicallyPrecedes(other.key)
        }
        // Own memory for each word: the slices would keep the whole text alive.
        self.init(words: sorted.prefix(limit).map { Array($0.key)[...] })
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    func encode(_ bytes: ArraySlice<UInt8>, firstToken: Int32, unknown: Int32) -> [Int32] {
        var tokens: [Int32] = []
        Self.forEachWord(bytes) { word in
            tokens.append(indices[word].map { firstToken + $0 } ?? unknown)
        }
        return tokens
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func forEachWord(
        _ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void
    ) {
        var start = bytes.startIndex
        for i in bytes.indices where isSpace(bytes[i]) {
            if i > start { body(bytes[start..<i]) }
            if bytes[i] == 0x0a { body(lineBreak) }
            start = i + 1
        }
        if start < bytes.endIndex { body(bytes[start...]) }
    }
}
