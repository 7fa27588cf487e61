// Learns the merges of byte-pair encoding (Sennrich, Haddow and Birch 2016, algorithm 1, on bytes).
//
// The distinct pieces of the text are kept with their counts. Each round merges the pair that
// stands side by side most often, the smaller one (by left, then right symbol) if several do. A
// round touches only the pieces in which its pair stands: their pairs are subtracted, the pair is
// merged, their new pairs are added. The next pair comes from a heap whose entries may be out of
// date: one that promises more than the present count is put back with that count. Counts that rise
// get a new entry, so the top entry that tells the truth is the largest. Nothing depends on hash
// order.

/// Two symbols side by side; comparing the numbers compares left, then right.
struct BytePair: Hashable, Sendable {
    let key: UInt64

    init(_ left: Int32, _ right: Int32) {
        key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    var left: Int32 { Int32(truncatingIfNeeded: key >> 32) }
    var right: Int32 { Int32(truncatingIfNeeded: key) }
}

/// Collects text, then learns merges from it.
struct BytePairTrainer {
    private var pieceCounts: [ArraySlice<UInt8>: Int] = [:]

    /// Counts the pieces of a text.
    mutating func add(_ text: ArraySlice<UInt8>) {
        BytePieces.forEach(text) { pieceCounts[$0, default: 0] += 1 }
    }

    /// The merges in the order of learning; merge i makes symbol 256 + i. Fewer than asked for if
    /// no pair stands twice any more.
    func train(mergeCount: Int) -> [BytePair] {
        var state = TrainingState(pieceCounts)
        var merges: [BytePair] = []
        while merges.count < mergeCount, let pair = state.mostFrequentPair() {
            state.merge(pair, into: Int32(256 + merges.count))
            merges.append(pair)
        }
        return merges
    }
}

private struct TrainingState {
    /// What is known of a pair.
    struct Occurrences {
        var count = 0
        /// Pieces in which it stands or once stood; may repeat.
        var pieces: [Int32] = []

        mutating func add(_ weight: Int, piece: Int?) {
            count += weight
            if let piece, pieces.last != Int32(piece) { pieces.append(Int32(piece)) }
        }
    }

    /// The symbols of all pieces one after another; a piece shrinks in place.
    var symbols: [Int32] = []
    var starts: [Int] = []
    var lengths: [Int] = []
    var weights: [Int] = []
    var pairs: [BytePair: Occurrences] = [:]
    var heap = PairHeap()
    var rising: Set<BytePair> = []

    init(_ pieceCounts: [ArraySlice<UInt8>: Int]) {
        for (piece, count) in pieceCounts where piece.count > 1 {
            starts.append(symbols.count)
            lengths.append(piece.count)
            weights.append(count)
            symbols.append(contentsOf: piece.lazy.map(Int32.init))
        }
        for piece in starts.indices { addPairs(of: piece, newSymbol: nil) }
        pushRising()
    }

    /// The pair to merge next; nil if none stands twice.
    mutating func mostFrequentPair() -> BytePair? {
        while let entry = heap.pop() {
            let count = pairs[entry.pair]?.count ?? 0
            if count == entry.count { return count > 1 ? entry.pair : nil }
            if count > 0, count < entry.count { heap.push(entry.pair, count: count) }
        }
        return nil
    }

    mutating func merge(_ pair: BytePair, into symbol: Int32) {
        var last: Int32 = -1
        for piece in (pairs[pair]?.pieces ?? []).sorted() where piece != last {
            last = piece
            let piece = Int(piece)
            subtractPairs(of: piece)
            replace(pair, by: symbol, in: piece)
            addPairs(of: piece, newSymbol: symbol)
        }
        pairs[pair] = nil
        pushRising()
    }

    private mutating func pushRising() {
        for pair in rising { heap.push(pair, count: pairs[pair]?.count ?? 0) }
        rising.removeAll(keepingCapacity: true)
    }

    private mutating func replace(_ pair: BytePair, by symbol: Int32, in piece: Int) {
        let start = starts[piece]
        lengths[piece] = symbols.withUnsafeMutableBufferPointer { symbols in
            guard let base = symbols.baseAddress else { return 0 }
            return pair.replace(by: symbol, in: base + start, count: lengths[piece])
        }
    }

    private mutating func subtractPairs(of piece: Int) {
        for i in starts[piece]..<(starts[piece] + lengths[piece] - 1) {
            pairs[BytePair(symbols[i], symbols[i + 1])]?.count -= weights[piece]
        }
    }

    /// - Parameter newSymbol: only pairs with it can be new to the piece; nil if all are.
    private mutating func addPairs(of piece: Int, newSymbol: Int32?) {
        for i in starts[piece]..<(starts[piece] + lengths[piece] - 1) {
            let pair = BytePair(symbols[i], symbols[i + 1])
            let isNew = newSymbol.map { $0 == pair.left || $0 == pair.right } ?? true
            if isNew { rising.insert(pair) }
            pairs[pair, default: Occurrences()].add(weights[piece], piece: isNew ? piece : nil)
        }
    }
}

extension BytePair {
    /// Replaces the pair from left to right in `symbols`; returns how many symbols are left.
    func replace(by symbol: Int32, in symbols: UnsafeMutablePointer<Int32>, count: Int) -> Int {
        var (from, to) = (0, 0)
        while from < count {
            if from + 1 < count, symbols[from] == left, symbols[from + 1] == right {
                symbols[to] = symbol
                from += 2
            } else {
                symbols[to] = symbols[from]
                from += 1
            }
            to += 1
        }
        return to
    }
}

/// A binary heap: the largest count on top, of equal ones the smallest pair.
private struct PairHeap {
    struct Entry {
        let count: Int
        let pair: BytePair

        func isAbove(_ other: Entry) -> Bool {
            count != other.count ? count > other.count : pair.key < other.pair.key
        }
    }

    private var entries: [Entry] = []

    mutating func push(_ pair: BytePair, count: Int) {
        entries.append(Entry(count: count, pair: pair))
        var child = entries.count - 1
        while child > 0, entries[child].isAbove(entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Entry? {
        guard let last = entries.popLast() else { return nil }
        guard let top = entries.first else { return last }
        entries[0] = last
        var parent = 0
        while true {
            var highest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].isAbove(entries[highest]) {
                highest = child
            }
            if highest == parent { return top }
            entries.swapAt(parent, highest)
            parent = highest
        }
    }
}
