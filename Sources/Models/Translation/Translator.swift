import Autodiff
import NeuralNetworks
import Tensors

// What all networks from sequence to sequence have in common: in training the decoder is given the
// right symbols so far (teacher forcing) and a whole batch is one pass; in use it is given its own,
// one step after another.

/// A batch of pairs, padded: N pairs, S symbols of the longest source, T of the longest target and
/// its end.
package struct TokenPairs: Sendable {
    package let count: Int
    /// [N, S]
    package let sources: [Int32]
    /// [N]
    package let sourceLengths: [Int32]
    /// [N, T]: what the decoder reads, the beginning mark and the target.
    package let inputs: [Int32]
    /// [N, T]: what it is to write, the target and the end mark; negative where there is none.
    package let targets: [Int32]

    package init(
        count: Int, sources: [Int32], sourceLengths: [Int32], inputs: [Int32], targets: [Int32]
    ) {
        precondition(
            count > 0 && sources.count % count == 0 && inputs.count % count == 0
                && sourceLengths.count == count && targets.count == inputs.count,
            "\(count) pairs of \(sources.count) and \(inputs.count) symbols")
        self.count = count
        self.sources = sources
        self.sourceLengths = sourceLengths
        self.inputs = inputs
        self.targets = targets
    }

    package var sourceLength: Int { sources.count / count }
    package var targetLength: Int { inputs.count / count }
}

/// Sources that are to be translated, padded as those of TokenPairs.
package struct TokenSources: Sendable {
    package let count: Int
    package let symbols: [Int32]
    package let lengths: [Int32]

    /// - Precondition: none is empty.
    package init(_ rows: [[Int32]]) {
        precondition(rows.allSatisfy { !$0.isEmpty } && !rows.isEmpty, "an empty source")
        count = rows.count
        let longest = rows.lazy.map(\.count).max() ?? 1
        symbols = rows.flatMap { $0 + [Int32](repeating: 0, count: longest - $0.count) }
        lengths = rows.map { Int32($0.count) }
    }

    package var length: Int { symbols.count / count }
}

/// The symbols of a target that stand for no text.
package struct TargetMarks: Sendable {
    package let padding: Int32
    package let begin: Int32
    package let end: Int32

    package init(padding: Int32, begin: Int32, end: Int32) {
        self.padding = padding
        self.begin = begin
        self.end = end
    }

    /// Whether a translation may contain it.
    func allows(_ symbol: Int) -> Bool { symbol != Int(padding) && symbol != Int(begin) }
}

/// A network from sequence to sequence.
package protocol Translator: Module {
    /// How the rows of `logits` lie.
    var layout: SequenceLayout { get }
    /// The most symbols of a target with its mark.
    var targetLimit: Int { get }

    /// The logits of every target symbol, [N, T, V] or [T, N, V], given those before it.
    /// - Parameter map: takes the attention to the source, one row per target symbol.
    func logits(of pairs: TokenPairs, on tape: Tape, map: AttentionMap?) -> Variable
    /// Reads the sources; what follows is written step by step.
    func begin(_ sources: TokenSources) -> any Translation
}

/// Translations of one batch under way. Used by one thread.
package protocol Translation: AnyObject {
    /// The logits [N, V] of the next symbol of each row, whose last one is given.
    func next(after symbols: [Int32]) -> Tensor
    /// Row i goes on with what row `rows[i]` has written so far.
    /// - Precondition: the rows that are exchanged have the same source.
    func reorder(_ rows: [Int])
}

extension Translator {
    /// The targets in the order of the rows of `logits`.
    package func labels(of pairs: TokenPairs) -> [Int32] {
        layout == .batchFirst ? pairs.targets : pairs.timeFirst(pairs.targets)
    }
}

extension TokenPairs {
    /// [N, L] to [L, N].
    func timeFirst(_ symbols: [Int32]) -> [Int32] { transposed(symbols, rows: count) }
}

/// [rows, columns] to [columns, rows].
func transposed(_ symbols: [Int32], rows: Int) -> [Int32] {
    let columns = symbols.count / rows
    return [Int32](unsafeUninitializedCapacity: symbols.count) { result, count in
        for row in 0..<rows {
            for column in 0..<columns {
                result[column * rows + row] = symbols[row * columns + column]
            }
        }
        count = symbols.count
    }
}
