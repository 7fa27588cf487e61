// Byte pairs as tokens: the 256 bytes, then what each merge makes of two earlier symbols.

/// The symbols of a byte-pair vocabulary.
struct BytePairTable: Equatable, Sendable {
    /// Pieces whose tokens one call of `encode` remembers.
    private static let memoryLimit = 1 << 16

    /// Merge i makes symbol 256 + i.
    let merges: [BytePair]
    /// The bytes of each symbol.
    let symbols: [ArraySlice<UInt8>]
    /// The symbol that a pair becomes.
    private let merged: [BytePair: Int32]

    var count: Int { symbols.count }

    /// - Precondition: a merge is of earlier symbols, and none comes twice.
    init(merges: [BytePair]) {
        self.merges = merges
        var symbols = (0..<256).map { ArraySlice([UInt8($0)]) }
        var merged: [BytePair: Int32] = [:]
        for pair in merges {
            merged[pair] = Int32(symbols.count)
            symbols.append(symbols[Int(pair.left)] + symbols[Int(pair.right)])
        }
        self.symbols = symbols
        self.merged = merged
    }

    static func == (left: Self, right: Self) -> Bool { left.merges == right.merges }

    func encode(_ bytes: ArraySlice<UInt8>, firstToken: Int32) -> [Int32] {
        var tokens: [Int32] = []
        var known: [ArraySlice<UInt8>: Range<Int>] = [:]
        BytePieces.forEach(bytes) { piece in
            let start = tokens.count
            if let range = known[piece] {
                for i in range { tokens.append(tokens[i]) }
                return
            }
            tokens.append(contentsOf: piece.lazy.map(Int32.init))
            let count = tokens.withUnsafeMutableBufferPointer { tokens in
                tokens.baseAddress.map { merge($0 + start, count: piece.count) } ?? 0
            }
            tokens.removeLast(piece.count - count)
            for i in start..<(start + count) { tokens[i] += firstToken }
            if known.count < Self.memoryLimit { known[piece] = start..<(start + count) }
        }
        return tokens
    }

    /// Merges the earliest learned pair again and again, as training did; returns how many symbols
    /// are left.
    private func merge(_ symbols: UnsafeMutablePointer<Int32>, count: Int) -> Int {
        var count = count
        while count > 1 {
            var earliest = Int32.max
            for i in 0..<(count - 1) {
                guard let symbol = merged[BytePair(symbols[i], symbols[i + 1])] else { continue }
                earliest = min(earliest, symbol)
            }
            guard earliest < .max else { break }
            count = merges[Int(earliest) - 256].replace(by: earliest, in: symbols, count: count)
        }
        return count
    }
}
