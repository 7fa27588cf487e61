// The text that character models are measured on, if it is there: ../shared/data beside the
// repository. Its numbers are nanoGPT's. Times are printed, not judged.

import Datasets
import Foundation
import Testing

private let shakespearePath = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("../shared/data/tiny-shakespeare.txt").standardized.path

private let isThere = FileManager.default.fileExists(atPath: shakespearePath)

private func timed<Value>(_ what: String, _ body: () throws -> Value) rethrows -> Value {
    let start = ContinuousClock.now
    let value = try body()
    print("\(what): \(ContinuousClock.now - start)")
    return value
}

@Suite(.enabled(if: isThere, "there is no \(shakespearePath)")) struct ShakespeareTests {
    @Test func charactersAndSplitAreThoseOfNanoGPT() throws {
        let text = try timed("reading") { try PlainText(path: shakespearePath) }
        #expect(text.characterCount == 1_115_394)
        let vocabulary = Vocabulary(.characters, of: text)
        #expect(vocabulary.count == 65)
        let parts = try text.split(trainingFraction: 0.9)
        #expect(parts.training.characterCount == 1_003_854)
        #expect(parts.validation.characterCount == 111_540)
        let tokens = try timed("encoding characters") { try vocabulary.encode(parts.training) }
        #expect(vocabulary.decode(tokens) == parts.training.bytes)
        let assembler = try WindowAssembler(
            name: text.name, tokens: tokens, context: 64, seed: 1, sampling: .random(perEpoch: nil))
        let plan = try StepPlan(
            dataName: text.name, sampleCount: assembler.sampleCount, replicas: 4, accumulation: 1,
            batchSize: 12, lastBatch: .drop)
        let work = plan.workList(steps: 0..<2000, replicas: 0..<4)
        let prefetcher = Prefetcher(assembler: assembler, work: work, capacity: 12)
        defer { prefetcher.stop() }
        var count = 0
        try timed("8,000 batches of 12 x 64") {
            while let batch = try prefetcher.next() {
                count += batch.targetCount
                prefetcher.recycle(batch)
            }
        }
        #expect(count == 2000 * 4 * 12 * 64)
    }

    @Test func thousandMergesRoundTrip() throws {
        let text = try PlainText(path: shakespearePath)
        let vocabulary = timed("learning 1,000 merges") {
            Vocabulary(.bytePairs(mergeCount: 1000), of: text)
        }
        #expect(vocabulary.count == 1256)
        let tokens = try timed("encoding byte pairs") { try vocabulary.encode(text) }
        print("\(tokens.count) tokens for \(text.bytes.count) bytes")
        #expect(tokens.count < text.bytes.count / 2)
        #expect(timed("decoding byte pairs") { vocabulary.decode(tokens) } == text.bytes)
        #expect(
            (256..<264).map { vocabulary.text(of: [$0]) } == [
                " t", "he", " a", "ou", " s", " m", "in", " w",
            ])
        #expect(try Vocabulary(vocabulary.save(), name: "saved") == vocabulary)
    }

    @Test func wordsAreCounted() throws {
        let text = try PlainText(path: shakespearePath)
        let vocabulary = timed("counting words") {
            Vocabulary(.words(limit: 50_000, minimumCount: 1), of: text)
        }
        #expect(vocabulary.count == 4 + 1 + 25_670)
        #expect((4..<9).map { vocabulary.label(of: $0) } == ["\u{23ce}", "the", "I", "to", "and"])
    }
}
