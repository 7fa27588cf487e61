// Training on pairs: what a task makes of files, what it measures, and where a model that has
// learned to reverse strings looks.

import Datasets
import Foundation
import Learning
import LearningTestSupport
import Models
import TaskCatalog
import Testing
import Translation

private let tasks = TaskList(allTasks)

private func configuration(_ data: String, _ model: String) throws -> RunConfiguration {
    let text = """
        { seed: 1, replicas: 1, batchSize: 32, steps: 500,
          data: { format: "pairs", \(data) }, model: \(model), evaluation: { batchSize: 50 },
          optimizer: { type: "adam", learningRate: 0.01 }, schedule: { type: "cosine" } }
        """
    return try RunConfiguration.parse(Data(text.utf8), origin: "run.json", tasks: tasks)
}

private let smallTranslator =
    #"{ type: "recurrentTranslator", cell: "gru", width: 48, embedding: 16 }"#

/// Removed with everything in it when nobody holds it any more.
private final class Folder {
    let path = FileManager.default.temporaryDirectory.path + "/rondo-pairs-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }
}

/// The sums of an evaluation of pairs.
private struct PairSums {
    let pairs, exact, symbols, loss: Double

    init(_ sums: [Double]) {
        (pairs, exact, symbols, loss) = (sums[0], sums[1], sums[2], sums[3])
    }
}

@Suite struct TranslationTests {
    private func outline(_ data: String) throws -> TaskOutline {
        let configuration = try configuration(data, smallTranslator)
        return try configuration.task.outline(configuration.context)
    }

    @Test func theLastLinesAreMeasuredAndLongOnesLeftOut() throws {
        let folder = try Folder()
        let lines = (0..<20).map { "ab\(String(repeating: "c", count: $0))\txy\n" }.joined()
        let path = try folder.file("pairs.tsv", lines)
        let outline = try outline(#"path: "\#(path)", testShare: 0.25, lengthLimit: 18"#)
        #expect(
            outline.samples
                == "15 training and 2 test pairs (3 empty or of more than 18 symbols left "
                + "out), vocabularies of 7 and 6")
        let error = #expect(throws: DataError.self) {
            try self.outline(#"path: "\#(path)", testShare: 0.99"#)
        }
        #expect(
            error?.description
                == "\(path): 20 pairs cannot be split: a test part of 0.99 leaves one side empty")
    }

    @Test func sidesMayShareTheirSymbols() throws {
        let folder = try Folder()
        let sources = try folder.file("s", "a b\nb c\nc a\n")
        let targets = try folder.file("t", "x y\ny x\nx b\n")
        let files = #"sources: "\#(sources)", targets: "\#(targets)", testShare: 0.4"#
        let outline = try outline(files + #", vocabulary: "words", sharedVocabulary: true"#)
        #expect(outline.files.map(\.name) == [RunVocabularies.sharedFileName])
        // The test part's words do not count.
        let shared = try Vocabulary(outline.files[0].bytes, name: "shared")
        #expect(shared.count == 4 + 5)
    }

    /// Equal sums for any size of the evaluation's batches, the loss per symbol, accuracy per pair.
    @Test func lossIsPerSymbolAndAccuracyPerPair() throws {
        let configuration = try configuration(
            #"generator: "dates", trainingPairs: 64, testPairs: 120"#, smallTranslator)
        let task = try configuration.task.load(configuration.context)
        #expect(task.evaluation.partCount == 3)
        let sums = PairSums(try task.evaluation.total())
        // A date in ISO's format and the mark of its end.
        #expect(sums.symbols == 120 * 11)
        #expect(sums.pairs == 120 && sums.exact == 0)
        #expect(abs(sums.loss / sums.symbols - 2.7) < 0.5, "about the logarithm of 15 symbols")
    }

    /// A small model learns to reverse; most of what it writes it reads where a person would.
    @Test func aReversalReadsBackwards() throws {
        let configuration = try configuration(
            """
            generator: "reversal", symbols: 8, minimumLength: 3, maximumLength: 8,
            trainingPairs: 20000, testPairs: 200, lengthLimit: 8
            """, smallTranslator)
        let run = try LocalRun(configuration)
        try run.train(to: 500)
        let sums = PairSums(try run.task.evaluation.total())
        let files = try configuration.task.outline(configuration.context).files
        let translator = try #require(run.task.network as? any Translator)
        let (near, steps) = try antidiagonal(configuration, files, translator)
        print(
            "reversal of 3 to 8 symbols, 500 steps: \(sums.exact / sums.pairs * 100) % exact, "
                + "\(near) of \(steps) steps within one position of the anti-diagonal")
        #expect(sums.exact > 0.9 * sums.pairs)
        #expect(Double(near) > 0.9 * Double(steps))
    }

    /// The same figures of a finished run: RONDO_PAIR_RUN=runs/seq2seq-reversal.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["RONDO_PAIR_RUN"] != nil))
    func aFinishedRunReadsBackwards() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["RONDO_PAIR_RUN"])
        let run = try FinishedRun(folder, tasks: tasks)
        let sums = PairSums(try run.evaluate())
        let outline = try run.configuration.task.outline(run.context)
        let network = try outline.network()
        try run.load(into: network)
        let translator = try #require(network as? any Translator)
        let (near, steps) = try antidiagonal(run.configuration, outline.files, translator)
        print(
            "\(folder): \(sums.exact) of \(sums.pairs) exact, \(near) of \(steps) steps "
                + "(\(100 * Double(near) / Double(steps)) %) within one position of the anti-diagonal"
        )
        #expect(steps > 0)
    }

    private func antidiagonal(
        _ configuration: RunConfiguration, _ files: [RunFile], _ translator: any Translator
    ) throws -> (near: Int, steps: Int) {
        let test = try PairedText(try configuration.task.data.read(.test))
        let source = try Vocabulary(files[0].bytes, name: "source")
        let target = try Vocabulary(files[files.count - 1].bytes, name: "target")
        var total = (near: 0, steps: 0)
        for row in 0..<test.count {
            let weights = LineTranslator.attention(
                of: translator, source: try source.encode(test[row].source),
                target: try target.encode(test[row].target))
            guard let weights else { continue }
            let (near, steps) = AttentionMatrix.antidiagonal(weights)
            total.near += near
            total.steps += steps
        }
        return total
    }
}
