// Which bytes are UTF-8, told with the place of the first that is not: Swift's own decoding repairs
// or refuses without saying where.

enum UTF8Check {
    /// The offset of the first sequence that is not UTF-8 (Unicode 15, table 3-7: no overlong
    /// forms, no surrogates, nothing above U+10FFFF, nothing cut short); nil if all is well.
    static func firstInvalidOffset(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var i = 0
        while i < bytes.count {
            if bytes[i] < 0x80 {
                i += 1
                continue
            }
            let length = sequenceLength(bytes, at: i)
            guard length > 0 else { return i }
            i += length
        }
        return nil
    }

    /// Bytes of the sequence that starts at `i`; 0 if it is not valid.
    static func sequenceLength(_ bytes: UnsafeBufferPointer<UInt8>, at i: Int) -> Int {
        let first = bytes[i]
        let expected = expectedLength(first: first)
        guard expected > 0, i + expected <= bytes.count else { return 0 }
        if expected == 1 { return 1 }
        guard secondRange(first: first).contains(bytes[i + 1]) else { return 0 }
        for k in 2..<max(2, expected) where bytes[i + k] & 0xc0 != 0x80 { return 0 }
        return expected
    }

    /// Bytes of a sequence that starts with `first`; 0 if none does.
    static func expectedLength(first: UInt8) -> Int {
        switch first {
        case 0..<0x80: 1
        case 0xc2...0xdf: 2
        case 0xe0...0xef: 3
        case 0xf0...0xf4: 4
        default: 0
        }
    }

    /// What may follow `first`.
    static func secondRange(first: UInt8) -> ClosedRange<UInt8> {
        switch first {
        case 0xe0: 0xa0...0xbf
        case 0xed: 0x80...0x9f
        case 0xf0: 0x90...0xbf
        case 0xf4: 0x80...0x8f
        default: 0x80...0xbf
        }
    }

    /// Calls `body` with each code point of valid UTF-8 and the offset of its first byte.
    @inline(__always)
    static func forEachCodePoint(
        _ bytes: UnsafeBufferPointer<UInt8>, _ body: (UInt32, Int) -> Void
    ) {
        var i = 0
        while i < bytes.count {
            let first = UInt32(bytes[i])
            let length = max(1, expectedLength(first: bytes[i]))
            var codePoint = length == 1 ? first : first & (0x7f >> UInt32(length))
            for k in 1..<max(1, length) { codePoint = codePoint << 6 | UInt32(bytes[i + k] & 0x3f) }
            body(codePoint, i)
            i += length
        }
    }
}
