// Tokens to text one by one, as generating produces them: a character may be spread over several
// byte-pair tokens, and between words there is a space, so both need memory.

/// Decodes a stream of tokens.
public struct TokenDecoder: Sendable {
    private let vocabulary: Vocabulary
    /// Whether a space comes before the next word.
    private var needsSpace = false
    /// Bytes of a character that is not complete yet; at most 3.
    private var pending: [UInt8] = []

    /// Begins a text.
    public init(_ vocabulary: Vocabulary) { self.vocabulary = vocabulary }

    /// The text that this token completes; may be empty. Bytes that cannot become UTF-8 give
    /// U+FFFD.
    public mutating func append(_ token: Int32) -> String {
        pending += bytes(of: token)
        let complete = pending.count - Self.unfinishedByteCount(pending)
        defer { pending.removeFirst(complete) }
        return String(decoding: pending.prefix(complete), as: UTF8.self)
    }

    /// What is left at the end of the stream.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// The bytes this token adds to the text.
    mutating func bytes(of token: Int32) -> [UInt8] {
        let replacement: [UInt8] = [0xef, 0xbf, 0xbd]
        let text: ArraySlice<UInt8>
        switch vocabulary.special(token) {
        case .padding, .begin, .end: return []
        case .unknown: text = replacement[...]
        case nil: text = vocabulary.tableBytes(token) ?? replacement[...]
        }
        guard vocabulary.kind == .words else { return Array(text) }
        let isLineBreak = text == WordTable.lineBreak
        defer { needsSpace = !isLineBreak }
        return (needsSpace && !isLineBreak ? [0x20] : []) + text
    }

    /// Bytes at the end that are the start of a character but not all of it.
    private static func unfinishedByteCount(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let first = bytes[bytes.count - length]
            if first & 0xc0 == 0x80 { continue }
            guard UTF8Check.expectedLength(first: first) > length else { return 0 }
            let isPossible =
                length == 1
                || UTF8Check.secondRange(first: first).contains(bytes[bytes.count - length + 1])
            return isPossible ? length : 0
        }
        return 0
    }
}
