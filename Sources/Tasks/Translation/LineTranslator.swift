import Autodiff
import Datasets
import ExitCodes
import Learning
import Models

/// A source that the model cannot take.
package struct SourceProblem: ExitCoded, Equatable, CustomStringConvertible {
    package let line: Int
    package let symbols: Int
    package let limit: Int

    package var exitCode: ExitCode { .data }

    package init(line: Int, symbols: Int, limit: Int) {
        self.line = line
        self.symbols = symbols
        self.limit = limit
    }

    package var description: String {
        "line \(line) has \(symbols) symbols, but the model was made for up to \(limit) "
            + "(data.lengthLimit)"
    }
}

/// Turns texts into others with a finished run's model, in this process. Needs the run's folder
/// alone.
package final class LineTranslator {
    /// Sources that are written side by side.
    private static let batchSize = 64

    private let vocabularies: RunVocabularies
    private let translator: any Translator
    private let limit: Int

    /// - Throws: what reading the folder throws.
    package init(_ run: FinishedRun, _ task: TranslationTask) throws {
        (translator, vocabularies) = try task.network(of: run)
        limit = task.pairs.lengthLimit
    }

    /// The target of each line; empty for a line without symbols.
    /// - Parameter beam: how many beginnings are followed; 1 always takes the likeliest symbol.
    package func targets(of lines: [String], beam: Int) throws -> [String] {
        try written(for: lines, beam: beam).map { vocabularies.target.text(of: $0) }
    }

    /// Symbols of the lines that the model does not know.
    package func unknownSymbolCount(in lines: [String]) throws -> Int {
        try lines.reduce(0) { sum, line in
            sum + (try vocabularies.source.encode(line)).count { $0 == SpecialSymbol.unknown.token }
        }
    }

    /// Where the model looked while it wrote the target of a line.
    /// - Throws: `UnsuitableRun` if it has no attention, or nothing to look at.
    package func attention(of line: String, beam: Int) throws -> AttentionMatrix {
        let source = try encoded([line])[0]
        guard !source.isEmpty else {
            throw UnsuitableRun("the text is empty: there is no attention to show")
        }
        let target = try written(for: [line], beam: beam)[0]
        guard let matrix = Self.attention(of: translator, source: source, target: target)
        else {
            throw UnsuitableRun("the model has no attention (model.attention is \"none\")")
        }
        return AttentionMatrix(
            sources: source.map { vocabularies.source.label(of: $0) },
            targets: (target + [SpecialSymbol.end.token]).map { vocabularies.target.label(of: $0) },
            weights: matrix)
    }

    /// The weights of each step of a target that is given, its mark the last step; the mean of the
    /// heads. Nil if the model has no attention.
    package static func attention(
        of translator: any Translator, source: [Int32], target: [Int32]
    ) -> [[Float]]? {
        let map = AttentionMap()
        let marks = TargetMarks.ofVocabularies
        let pair = TokenPairs(
            count: 1, sources: source, sourceLengths: [Int32(source.count)],
            inputs: [marks.begin] + target, targets: target + [marks.end])
        _ = translator.logits(of: pair, on: Tape(.evaluation), map: map)
        guard let weights = map.probabilities else { return nil }
        let heads = weights.shape[1]
        return (0...target.count).map { step in
            source.indices.map { position in
                let sum = (0..<heads).reduce(Float(0)) { sum, head in
                    let row = head * (target.count + 1) + step
                    return sum + weights.pointer[row * source.count + position]
                }
                return sum / Float(heads)
            }
        }
    }

    private func encoded(_ lines: [String]) throws -> [[Int32]] {
        try lines.enumerated().map { index, line in
            let symbols = try vocabularies.source.encode(line, name: "line \(index + 1)")
            guard symbols.count <= limit else {
                throw SourceProblem(line: index + 1, symbols: symbols.count, limit: limit)
            }
            return symbols
        }
    }

    private func written(for lines: [String], beam: Int) throws -> [[Int32]] {
        let sources = try encoded(lines)
        var targets = [[Int32]](repeating: [], count: sources.count)
        let marks = TargetMarks.ofVocabularies
        // Lines of similar length are padded less; their order does not matter to the result.
        let order = sources.indices.filter { !sources[$0].isEmpty }
            .sorted { (sources[$0].count, $0) < (sources[$1].count, $1) }
        guard beam == 1 else {
            for index in order {
                targets[index] =
                    translator.bestTarget(of: sources[index], beam: beam, marks: marks)
                    .symbols
            }
            return targets
        }
        for start in stride(from: 0, to: order.count, by: Self.batchSize) {
            let rows = order[start..<min(start + Self.batchSize, order.count)]
            let batch = TokenSources(rows.map { sources[$0] })
            let results = translator.greedyTargets(of: batch, marks: marks)
            for (row, target) in zip(rows, results) { targets[row] = target }
        }
        return targets
    }
}
