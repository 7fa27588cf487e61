// Networks from sequence to sequence: what is written step by step is what one pass over the whole
// target says, padding changes nothing, and sizes are known before anything is built.

import Autodiff
import Foundation
import Models
import NeuralNetworks
import Configuration
import Tensors
import Testing

private let marks = TargetMarks(padding: 0, begin: 2, end: 3)
private let input = FeatureShape.source(symbols: 11, limit: 9)
private let translators = [
    #"{ type: "recurrentTranslator", cell: "gru", width: 12, embedding: 7, dropout: 0.3 }"#,
    #"{ type: "recurrentTranslator", cell: "lstm", width: 8, layers: 2, attention: "none" }"#,
    #"{ type: "recurrentTranslator", cell: "lstm", width: 8, attention: "multiplicative" }"#,
    #"{ type: "recurrentTranslator", width: 8, layers: 2, bidirectional: false, embedding: 5 }"#,
    #"{ type: "transformerTranslator", width: 16, heads: 2, encoderLayers: 1, decoderLayers: 3 }"#,
]

@Suite struct TranslatorTests {
    private func model(_ text: String) throws -> ModelConfiguration {
        let text = """
            { replicas: 1, batchSize: 1, steps: 1, data: { format: "pairs", path: "/nowhere" },
              optimizer: { type: "sgd", learningRate: 1 }, model: \(text) }
            """
        return try modelConfiguration(text)
    }

    private func translator(_ text: String) throws -> any Translator {
        try ModelBuilder.translator(try model(text), input: input, outputs: 9, seed: 3)
    }

    private static let sources: [[Int32]] = [
        [4, 5, 6, 7, 10], [8, 4], [9, 9, 9, 4, 5, 6, 7, 8, 9],
    ]
    private static let targets: [[Int32]] = [[4, 8, 5], [6, 6, 6, 7, 4, 5], [5]]

    private func pairs(_ rows: [Int]) -> TokenPairs {
        let sources = TokenSources(rows.map { Self.sources[$0] })
        let length = (rows.map { Self.targets[$0].count }.max() ?? 0) + 1
        func padded(_ row: [Int32], with symbol: Int32) -> [Int32] {
            row + [Int32](repeating: symbol, count: length - row.count)
        }
        return TokenPairs(
            count: rows.count, sources: sources.symbols, sourceLengths: sources.lengths,
            inputs: rows.flatMap { padded([marks.begin] + Self.targets[$0], with: 0) },
            targets: rows.flatMap { padded(Self.targets[$0] + [marks.end], with: -100) })
    }

    private func summed(
        _ pairs: TokenPairs, _ translator: any Translator, _ tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        softmaxCrossEntropy(
            translator.logits(of: pairs, on: tape, map: nil), labels: translator.labels(of: pairs))
    }

    /// The logits of one row and step.
    private func logits(_ all: Tensor, _ layout: SequenceLayout, row: Int, step: Int) -> [Float] {
        let (outer, inner) = layout == .batchFirst ? (row, step) : (step, row)
        let start = (outer * all.shape[1] + inner) * all.shape[2]
        return Array(all.scalars[start..<start + all.shape[2]])
    }

    private func distance(_ one: [Float], _ other: [Float]) -> Float {
        zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: translators) func stepsGiveTheNumbersOfOnePass(text: String) throws {
        let translator = try translator(text)
        let pairs = pairs([0, 1, 2])
        let whole = translator.logits(of: pairs, on: Tape(.evaluation), map: nil).value
        let translation = translator.begin(TokenSources(Self.sources))
        for step in 0..<pairs.targetLength {
            let symbols = (0..<3).map { pairs.inputs[$0 * pairs.targetLength + step] }
            let next = translation.next(after: symbols)
            #expect(next.shape == [3, 9])
            for row in 0..<3 where step <= Self.targets[row].count {
                let expected = logits(whole, translator.layout, row: row, step: step)
                let got = Array(next.scalars[row * 9..<row * 9 + 9])
                #expect(distance(expected, got) < 1e-5, "row \(row), step \(step)")
            }
        }
    }

    @Test(arguments: translators) func paddingChangesNothing(text: String) throws {
        let translator = try translator(text)
        let together = translator.logits(of: pairs([0, 1, 2]), on: Tape(.evaluation), map: nil)
        var sum: Float = 0
        for row in 0..<3 {
            let alone = translator.logits(of: pairs([row]), on: Tape(.evaluation), map: nil)
            for step in 0...Self.targets[row].count {
                let expected = logits(alone.value, translator.layout, row: 0, step: step)
                let got = logits(together.value, translator.layout, row: row, step: step)
                #expect(distance(expected, got) < 1e-5, "row \(row), step \(step)")
            }
            sum += summed(pairs([row]), translator, Tape(.evaluation)).sums.lossSum
        }
        let (_, sums) = summed(pairs([0, 1, 2]), translator, Tape(.evaluation))
        #expect(sums.sampleCount == 4 + 7 + 2)
        #expect(abs(sums.lossSum - sum) < 1e-4)
    }

    @Test(arguments: translators) func outlineCountsWhatIsBuilt(text: String) throws {
        let outline = try ModelBuilder.outline(of: try model(text), input: input, outputs: 9)
        let store = ParameterStore(adopting: try translator(text))
        #expect(outline.scalarCount == store.scalarCount)
        #expect(outline.layers.first?.scalarCount == 11 * store.parameterSlots[0].shape[1])
        #expect(Set(store.parameterSlots.map(\.name)).count == store.parameterSlots.count)
    }

    /// Every parameter has a gradient after a training pass.
    @Test(arguments: translators) func everyParameterIsTrained(text: String) throws {
        let translator = try translator(text)
        let store = ParameterStore(adopting: translator)
        store.bindGradients(to: Tensor(zeros: [store.gradientCount]))
        let tape = Tape(
            .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 3))
        let (loss, _) = summed(pairs([0, 1, 2]), translator, tape)
        tape.backward(from: loss)
        for (index, slot) in store.parameterSlots.enumerated() {
            let parameter = store.parameter(at: index)
            #expect(
                parameter.gradientIsWritten
                    && parameter.gradient?.scalars.contains { $0 != 0 } == true, "\(slot.name)")
        }
    }

    @Test(arguments: translators) func reorderedRowsGoOnWithTheOthersPast(text: String) throws {
        let translator = try translator(text)
        let sources = TokenSources([Self.sources[0], Self.sources[0]])
        let swapped = translator.begin(sources)
        _ = swapped.next(after: [4, 5])
        swapped.reorder([1, 1])
        let straight = translator.begin(sources)
        _ = straight.next(after: [5, 5])
        let (one, other) = (swapped.next(after: [6, 7]), straight.next(after: [6, 7]))
        #expect(distance(one.scalars, other.scalars) < 1e-6)
    }

    @Test func mistakesAreNamed() throws {
        let error = #expect(throws: ModelError.self) {
            try ModelBuilder.outline(
                of: try model(translators[0]), input: .tokens(5), outputs: 9)
        }
        #expect(
            error?.description
                == "model (recurrentTranslator): needs pairs of texts, but its input is 5 symbols")
    }
}

/// Writes what a table says: the probabilities of 3 (the end), 4 and 5 after each beginning.
private struct Scripted: Translator {
    let table: [[Int32]: [Float]]
    var layout: SequenceLayout { .batchFirst }
    var targetLimit: Int { 4 }
    var parts: [(name: String, value: Any)] { [] }

    func logits(of pairs: TokenPairs, on tape: Tape, map: AttentionMap?) -> Variable {
        tape.constant(Tensor(zeros: [pairs.count, pairs.targetLength, 6]))
    }

    func begin(_ sources: TokenSources) -> any Translation {
        Course(table: table, rows: [[Int32]](repeating: [], count: sources.count))
    }

    private final class Course: Translation {
        let table: [[Int32]: [Float]]
        var rows: [[Int32]]

        init(table: [[Int32]: [Float]], rows: [[Int32]]) {
            self.table = table
            self.rows = rows
        }

        func next(after symbols: [Int32]) -> Tensor {
            let logits = Tensor(repeating: -30, [rows.count, 6])
            for (row, symbol) in symbols.enumerated() {
                if symbol != marks.begin { rows[row].append(symbol) }
                // Padding and the beginning mark are the likeliest, and never written.
                logits.pointer[row * 6] = 30
                for (index, chance) in (table[rows[row]] ?? [1, 0, 0]).enumerated() where chance > 0
                {
                    logits.pointer[row * 6 + 3 + index] = Float(Foundation.log(Double(chance)))
                }
            }
            return logits
        }

        func reorder(_ order: [Int]) { rows = order.map { rows[$0] } }
    }
}

@Suite struct TranslationSearchTests {
    /// 4 looks better at first, but 5 leads to the better whole.
    private let translator = Scripted(table: [
        []: [0, 0.6, 0.4], [4]: [0.3, 0.35, 0.35], [4, 4]: [0.5, 0.5, 0], [5]: [0, 0, 1],
        [5, 5]: [1, 0, 0],
    ])

    @Test func aBeamFindsWhatGreedMisses() {
        let source: [Int32] = [4]
        let greedy = translator.greedyTargets(of: TokenSources([source, source]), marks: marks)
        #expect(greedy == [[4, 4], [4, 4]], "the first of equals, then the end")
        #expect(translator.bestTarget(of: source, beam: 1, marks: marks).symbols == [4, 4])
        let best = translator.bestTarget(of: source, beam: 3, marks: marks)
        #expect(best.symbols == [5, 5])
    }

    @Test func aTargetWithoutEndIsCutAtTheLimit() {
        let endless = Scripted(table: [
            []: [0, 1, 0], [4]: [0, 1, 0], [4, 4]: [0, 1, 0], [4, 4, 4]: [0, 1, 0],
        ])
        #expect(endless.greedyTargets(of: TokenSources([[4]]), marks: marks) == [[4, 4, 4, 4]])
        // The beam also follows what is very unlikely, but nothing better comes of it.
        #expect(endless.bestTarget(of: [4], beam: 1, marks: marks).symbols == [4, 4, 4, 4])
    }

    @Test func beamOfOneWritesWhatGreedWrites() throws {
        for seed in UInt64(1)...4 {
            let text = """
                { replicas: 1, batchSize: 1, steps: 1, data: { format: "pairs", path: "/nowhere" },
                  optimizer: { type: "sgd", learningRate: 1 }, model: \(translators[0]) }
                """
            let model = try modelConfiguration(text)
            let translator = try ModelBuilder.translator(
                model, input: input, outputs: 9, seed: seed)
            for source: [Int32] in [[4], [5, 6, 7], [10, 9, 8, 7, 6, 5, 4]] {
                let greedy = translator.greedyTargets(of: TokenSources([source]), marks: marks)
                let beam = translator.bestTarget(of: source, beam: 1, marks: marks)
                #expect(beam.symbols == greedy[0])
            }
        }
    }
}
