import Autodiff
import NeuralNetworks
import Tensors

// Two ways to write a target: always the likeliest next symbol, for many sources at once; or the K
// likeliest beginnings side by side for one source, of which the best whole one wins.

/// What was written for one source.
package struct WrittenTarget: Sendable, Equatable {
    /// Without marks.
    package let symbols: [Int32]
    /// The mean logarithm of the probability of a symbol, the end included; nil where it was not
    /// asked for.
    package let score: Double?
}

extension Translator {
    /// The likeliest symbol at each step, the first of equals, until the end or the limit.
    package func greedyTargets(of sources: TokenSources, marks: TargetMarks) -> [[Int32]] {
        let translation = begin(sources)
        var targets = [[Int32]](repeating: [], count: sources.count)
        var last = [Int32](repeating: marks.begin, count: sources.count)
        var isWritten = [Bool](repeating: false, count: sources.count)
        for _ in 0..<targetLimit where isWritten.contains(false) {
            let logits = translation.next(after: last)
            for row in 0..<sources.count {
                last[row] = logits.likeliest(inRow: row, marks)
                guard !isWritten[row] else { continue }
                if last[row] == marks.end {
                    isWritten[row] = true
                } else {
                    targets[row].append(last[row])
                }
            }
        }
        return targets
    }

    /// The best of `beam` beginnings that are followed side by side, by the mean logarithm of the
    /// probability of their symbols: a sum would prefer short ones (Wu et al. 2016, section 7).
    package func bestTarget(of source: [Int32], beam: Int, marks: TargetMarks) -> WrittenTarget {
        var search = BeamSearch(width: beam, marks: marks)
        let sources = TokenSources([[Int32]](repeating: source, count: beam))
        let translation = begin(sources)
        for _ in 0..<targetLimit where !search.isDone {
            let logits = translation.next(after: search.lastSymbols)
            let logarithms = logSoftmax(Tape(.evaluation).constant(logits)).value
            translation.reorder(search.extend(by: logarithms))
        }
        return search.best
    }
}

extension Tensor {
    fileprivate func likeliest(inRow row: Int, _ marks: TargetMarks) -> Int32 {
        let columns = shape.columns
        let values = UnsafeBufferPointer(start: pointer + row * columns, count: columns)
        var best = Int(marks.end)
        for column in 0..<columns where marks.allows(column) {
            if values[column] > values[best] || (values[column] == values[best] && column < best) {
                best = column
            }
        }
        return Int32(best)
    }
}

/// The beginnings that a search follows; pure bookkeeping.
struct BeamSearch {
    private struct Beginning {
        var symbols: [Int32]
        /// The sum of the logarithms of the symbols' probabilities.
        var sum: Double
    }

    private let width: Int
    private let marks: TargetMarks
    /// At most `width`; the one at position i is row i of the translation.
    private var open = [Beginning(symbols: [], sum: 0)]
    /// The best that came to its end.
    private var whole: WrittenTarget?

    init(width: Int, marks: TargetMarks) {
        precondition(width > 0, "a beam of \(width)")
        self.width = width
        self.marks = marks
    }

    /// Whether nothing that is open is as good so far as the best whole target. (Ends are cheap to
    /// find: a search that stopped at so many of them would settle for bad ones.)
    var isDone: Bool {
        guard let best = whole?.score else { return open.isEmpty }
        return open.allSatisfy { $0.sum / Double(max(1, $0.symbols.count)) < best }
    }

    /// What each row wrote last; rows that are not in use repeat the first.
    var lastSymbols: [Int32] {
        (0..<width).map { row in
            open[row < open.count ? row : 0].symbols.last ?? marks.begin
        }
    }

    /// Takes the logarithms [width, V] of the probabilities of the next symbol; returns which row
    /// each row goes on with.
    mutating func extend(by logarithms: Tensor) -> [Int] {
        let columns = logarithms.shape.columns
        var candidates: [(row: Int, symbol: Int32, sum: Double)] = []
        for (row, beginning) in open.enumerated() {
            let values = UnsafeBufferPointer(
                start: logarithms.pointer + row * columns, count: columns)
            let ranked = (0..<columns).filter { marks.allows($0) }
                .sorted { (values[$1], $0) < (values[$0], $1) }
            // More than these cannot be among the best of all.
            for symbol in ranked.prefix(width) {
                candidates.append(
                    (row, Int32(symbol), beginning.sum + Double(values[symbol])))
            }
        }
        // The order of candidates with equal sums is that of their rows, as sorted(by:) may not
        // keep it.
        let order = candidates.indices.sorted {
            (candidates[$1].sum, $0) < (candidates[$0].sum, $1)
        }
        var next: [Beginning] = []
        var rows: [Int] = []
        for candidate in order.prefix(width).map({ candidates[$0] }) {
            let beginning = open[candidate.row]
            if candidate.symbol == marks.end {
                let score = candidate.sum / Double(beginning.symbols.count + 1)
                if score > whole?.score ?? -.infinity {
                    whole = WrittenTarget(symbols: beginning.symbols, score: score)
                }
            } else {
                next.append(
                    Beginning(
                        symbols: beginning.symbols + [candidate.symbol], sum: candidate.sum))
                rows.append(candidate.row)
            }
        }
        open = next
        return rows + [Int](repeating: rows.first ?? 0, count: width - rows.count)
    }

    /// The whole target with the best score; the best beginning if none came to its end.
    var best: WrittenTarget {
        if let whole { return whole }
        let beginning = open.first ?? Beginning(symbols: [], sum: 0)
        return WrittenTarget(
            symbols: beginning.symbols,
            score: beginning.sum / Double(max(1, beginning.symbols.count)))
    }
}
