// Text cut into pieces that no byte pair reaches across: a word with the space before it, a run of
// digits, of other signs, or of white space; as GPT-2 cuts (Radford et al. 2019, section 2.2), but
// by bytes, where all beyond ASCII counts as letters. So "dog", "dog." and "dog!" share a token,
// and training counts each distinct piece once.

enum BytePieces {
    /// Longer runs are cut: it bounds the work on text without spaces and the length of a token.
    static let byteCountLimit = 128

    /// Calls `body` with each piece; together they are all of `bytes`, in order.
    static func forEach(_ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = min(self.end(of: bytes, from: start), start + byteCountLimit)
            body(bytes[start..<end])
            start = end
        }
    }

    private enum Kind { case space, letter, digit, other }

    private static func kind(_ byte: UInt8) -> Kind {
        switch byte {
        case 0x20, 0x09...0x0d: .space
        case 0x30...0x39: .digit
        case 0x41...0x5a, 0x61...0x7a, 0x80...: .letter
        default: .other
        }
    }

    private static func end(of bytes: ArraySlice<UInt8>, from start: Int) -> Int {
        var first = start
        if bytes[start] == 0x20, start + 1 < bytes.endIndex, kind(bytes[start + 1]) != .space {
            first = start + 1
        }
        let runKind = kind(bytes[first])
        var end = first + 1
        // One more than the limit, so that the cut there does not depend on what follows.
        while end < bytes.endIndex, end - start <= byteCountLimit, kind(bytes[end]) == runKind {
            end += 1
        }
        // The last of several spaces belongs to the word after it.
        if runKind == .space, end < bytes.endIndex, end - start > 1, bytes[end - 1] == 0x20 {
            return end - 1
        }
        return end
    }
}
