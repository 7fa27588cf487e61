// Training on pairs: what a task makes of files, what it measures, and where a model that has learned to
// reverse strings looks.

import Collectives
import DataParallel
import Datasets
import Foundation
import Models
import Configuration
import Learning
import Testing
import Training

private func configuration(_ data: String, _ model: String) throws -> RunConfiguration {
    let text = """
        { seed: 1, replicas: 1, batchSize: 32, steps: 500,
          data: { format: "pairs", \(data) }, model: \(model), evaluation: { batchSize: 50 },
          optimizer: { type: "adam", learningRate: 0.01 }, schedule: { type: "cosine" } }
        """
    return try RunConfiguration.parse(Data(text.utf8), origin: "run.json")
}

private func model(_ configuration: RunConfiguration, _ task: PairTask) throws -> TrainedModel {
    try TrainedModel(
        configuration, input: task.input, outputs: task.outputCount,
        stepsPerEpoch: task.plan.stepsPerEpoch, totalSteps: configuration.totalSteps(task.plan))
}

private let smallTranslator =
    #"{ type: "recurrentTranslator", cell: "gru", width: 48, embedding: 16 }"#

@Suite struct PairTaskTests {
    private func task(_ configuration: RunConfiguration) throws -> PairTask {
        guard case .pairs(let data) = configuration.data else {
            throw CocoaError(.featureUnsupported)
        }
        return try PairTask(configuration, data)
    }

    private func file(_ fixture: RunFixture, _ name: String, _ text: String) throws -> String {
        let path = "\(fixture.path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func theLastLinesAreMeasuredAndLongOnesLeftOut() throws {
        let fixture = try RunFixture()
        let lines = (0..<20).map { "ab\(String(repeating: "c", count: $0))\txy\n" }.joined()
        let path = try file(fixture, "pairs.tsv", lines)
        let task = try task(
            configuration(#"path: "\#(path)", testShare: 0.25, lengthLimit: 18"#, smallTranslator))
        #expect(
            task.summary == "15 training and 2 test pairs (3 empty or of more than 18 symbols left "
                + "out), vocabularies of 7 and 6")
        #expect(task.input == .source(symbols: 7, limit: 18))
        let all = try configuration(#"path: "\#(path)", testShare: 0.99"#, smallTranslator)
        let error = #expect(throws: DataError.self) { try self.task(all) }
        #expect(
            error?.description
                == "\(path): 20 pairs cannot be split: a test part of 0.99 leaves one side empty")
    }

    @Test func sidesMayShareTheirSymbols() throws {
        let fixture = try RunFixture()
        let sources = try file(fixture, "s", "a b\nb c\nc a\n")
        let targets = try file(fixture, "t", "x y\ny x\nx b\n")
        let files = #"sources: "\#(sources)", targets: "\#(targets)", testShare: 0.4"#
        let task = try task(
            configuration(
                files + #", vocabulary: "words", sharedVocabulary: true"#, smallTranslator))
        let names = try #require(task.vocabularies)
        // The test part's words do not count.
        #expect(names.isShared && names.source.count == 4 + 5)
    }

    /// Equal sums for any size of the evaluation's batches, the loss per symbol, accuracy per pair.
    @Test func lossIsPerSymbolAndAccuracyPerPair() throws {
        let configuration = try configuration(
            #"generator: "dates", trainingPairs: 64, testPairs: 120"#, smallTranslator)
        let task = try task(configuration)
        let model = try model(configuration, task)
        #expect(task.evaluationBatchCount == 3)
        let total = EvaluationSums.total(
            (0..<3).map { task.evaluate(batch: $0, model: model) })
        // A date in ISO's format and the mark of its end.
        #expect(total.lossCount == 120 * 11)
        #expect(total.sampleCount == 120 && total.correctCount == 0)
        #expect(abs(total.loss - 2.7) < 0.5, "about the logarithm of 15 symbols")
    }

    /// A small model learns to reverse; most of what it writes it reads where a person would.
    @Test func aReversalReadsBackwards() throws {
        let configuration = try configuration(
            """
            generator: "reversal", symbols: 8, minimumLength: 3, maximumLength: 8,
            trainingPairs: 20000, testPairs: 200, lengthLimit: 8
            """, smallTranslator)
        let task = try task(configuration)
        let model = try model(configuration, task)
        let group = try ProcessGroup(
            rank: 0, generation: 1, deal: .equal(replicaCount: 1, worldSize: 1), previous: nil,
            next: nil, timeout: .seconds(1), add: ringAddition)
        let executor = ReplicatedStep(
            store: model.store, optimizer: model.optimizer, seed: 1,
            bucketByteCount: 1 << 20)
        executor.join(group)
        defer { executor.leave() }
        let source = task.passes(steps: 0..<500, replicas: 0..<1)
        defer { source.stop() }
        for step in 0..<500 {
            _ = try executor.run(
                step: step, learningRate: model.schedule.learningRate(step: step),
                votes: StepVotes(), phase: { _ in }, passes: { _ in [try source.next(model)] })
        }
        let sums = EvaluationSums.total(
            (0..<task.evaluationBatchCount).map { task.evaluate(batch: $0, model: model) })
        let (near, steps) = antidiagonal(task.test, model)
        print(
            "reversal of 3 to 8 symbols, 500 steps: \(sums.accuracy * 100) % exact, "
                + "\(near) of \(steps) steps within one place of the anti-diagonal")
        #expect(sums.accuracy > 0.9)
        #expect(Double(near) > 0.9 * Double(steps))
    }

    /// The same figures of a finished run: RONDO_PAIR_RUN=runs/seq2seq-reversal.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["RONDO_PAIR_RUN"] != nil))
    func aFinishedRunReadsBackwards() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["RONDO_PAIR_RUN"])
        let configuration = try FinishedRun.configuration(folder)
        guard case .pairs(let data) = configuration.data else { return }
        let test = try PairEvaluation(
            configuration, data, names: try RunVocabularies(runFolder: folder))
        let model = try FinishedRun.model(
            folder, configuration, input: test.input, outputs: test.names.target.count)
        let (near, steps) = antidiagonal(test, model)
        let sums = EvaluationSums.total(
            (0..<test.batchCount).map { test.sums(of: $0, model: model) })
        print(
            "\(folder): \(sums.correctCount) of \(sums.sampleCount) exact, \(near) of \(steps) steps "
                + "(\(100 * Double(near) / Double(steps)) %) within one place of the anti-diagonal")
        #expect(steps > 0)
    }

    private func antidiagonal(
        _ test: PairEvaluation, _ model: TrainedModel
    ) -> (near: Int, steps: Int) {
        var total = (near: 0, steps: 0)
        for row in 0..<test.pairs.sampleCount {
            guard
                let weights = PairPredictor.attention(
                    of: model.translator, source: Array(test.pairs.sources[row]),
                    target: Array(test.pairs.targets[row]))
            else { continue }
            let (near, steps) = AttentionMatrix.antidiagonal(weights)
            total.near += near
            total.steps += steps
        }
        return total
    }
}
