// Characters as tokens: code points in rising order.

/// The code points of a vocabulary.
struct CharacterTable: Equatable, Sendable {
    /// Strictly rising.
    let codePoints: [UInt32]
    /// The index of each code point below 128, or -1: most text is of these.
    private let asciiIndices: [Int32]
    private let otherIndices: [UInt32: Int32]

    var count: Int { codePoints.count }

    init(codePoints: [UInt32]) {
        self.codePoints = codePoints
        var ascii = [Int32](repeating: -1, count: 128)
        var other: [UInt32: Int32] = [:]
        for (index, codePoint) in codePoints.enumerated() {
            if codePoint < 128 {
                ascii[Int(codePoint)] = Int32(index)
            } else {
                other[codePoint] = Int32(index)
            }
        }
        asciiIndices = ascii
        otherIndices = other
    }

    /// The characters that occur in pieces of valid UTF-8.
    init(of pieces: some Sequence<ArraySlice<UInt8>>) {
        var seen = [Bool](repeating: false, count: 0x11_0000)
        for piece in pieces {
            piece.withUnsafeBufferPointer { bytes in
                seen.withUnsafeMutableBufferPointer { seen in
                    UTF8Check.forEachCodePoint(bytes) { codePoint, _ in
                        seen[Int(codePoint)] = true
                    }
                }
            }
        }
        self.init(codePoints: seen.indices.filter { seen[$0] }.map(UInt32.init))
    }

    static func == (left: Self, right: Self) -> Bool { left.codePoints == right.codePoints }

    /// - Parameter unknown: the token of characters that are not in the table; nil refuses them.
    func encode(
        _ bytes: ArraySlice<UInt8>, firstToken: Int32, unknown: Int32?, name: String
    ) throws(DataError) -> [Int32] {
        var tokens: [Int32] = []
        tokens.reserveCapacity(bytes.count)
        var problem: TextProblem?
        bytes.withUnsafeBufferPointer { bytes in
            if let offset = UTF8Check.firstInvalidOffset(bytes) {
                problem = .invalidUTF8(offset: offset, byte: bytes[offset])
                return
            }
            UTF8Check.forEachCodePoint(bytes) { codePoint, offset in
                let index = codePoint < 128 ? asciiIndices[Int(codePoint)] : otherIndices[codePoint]
                if let index, index >= 0 {
                    tokens.append(firstToken + index)
                } else if let unknown {
                    tokens.append(unknown)
                } else if problem == nil {
                    problem = .unknownCharacter(codePoint: codePoint, offset: offset)
                }
            }
        }
        if let problem { throw DataError(file: name, problem: .text(problem)) }
        return tokens
    }

    func bytes(of index: Int) -> ArraySlice<UInt8>? {
        Unicode.Scalar(codePoints[index]).map { Array(String($0).utf8)[...] }
    }
}
