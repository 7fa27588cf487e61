// Pairs of texts: reading, padding, and batches of similar length.

import Datasets
import Foundation
import Testing

@Test func tabSeparatedLinesAreRead() throws {
    let pairs = try PairedText(
        tabSeparated: plain("go\tgeh\r\nhello there\thallo\tlicence\tmore\n\tx\ny\t\nend\tEnde"))
    #expect(pairs.count == 3)
    #expect(pairs.droppedCount == 2)
    #expect(
        (0..<3).map { pairs[$0] } == [
            TextPair(source: "go", target: "geh"),
            TextPair(source: "hello there", target: "hallo"),
            TextPair(source: "end", target: "Ende"),
        ])
}

@Test func linesOfTwoFilesArePaired() throws {
    try withFiles([
        "a.en": Array("one\ntwo\n\nfour\n".utf8), "a.de": Array("eins\nzwei\ndrei\nvier".utf8),
        "b.de": Array("eins\n".utf8),
    ]) { path in
        let pairs = try PairedText(sources: path("a.en"), targets: path("a.de"))
        #expect(pairs.count == 3 && pairs.droppedCount == 1)
        #expect(pairs[2] == TextPair(source: "four", target: "vier"))
        #expect(
            message { _ = try PairedText(sources: path("a.en"), targets: path("b.de")) }
                == "\(path("a.en")): has 4 lines, but \(path("b.de")) has 1")
    }
}

@Test func problemsOfPairsAreNamed() throws {
    #expect(
        message { _ = try PairedText(tabSeparated: plain("a\tb\nc d\n")) }
            == "a.txt: line 2 has no tab; expected source, tab, target")
    #expect(
        message { _ = try PairedText(tabSeparated: plain("a\t\n\tb\n")) }
            == "a.txt: has no usable pairs (2 have an empty side)")
    let pairs = try PairedText(tabSeparated: plain("abc\tde\n"))
    let bare = Vocabulary(.characters, of: pairs.targets, specialSymbols: false)
    #expect(
        message {
            _ = try PairAssembler(
                pairs, sourceVocabulary: bare, targetVocabulary: bare, seed: 1, lengthLimit: 9)
        }
            == "a.txt: the vocabulary has no symbols for padding, begin and end, which pairs of texts "
            + "need")
    let vocabulary = Vocabulary(.characters, of: pairs.targets, specialSymbols: true)
    #expect(
        message {
            _ = try PairAssembler(
                pairs, sourceVocabulary: vocabulary, targetVocabulary: vocabulary, seed: 1,
                lengthLimit: 2)
        } == "a.txt: has no usable pairs (1 have an empty side or longer than 2 tokens)")
}

@Test func batchIsPaddedToItsLongestPair() throws {
    let pairs = try PairedText(tabSeparated: plain("ab\tx\nabc\txyz\nb\tzz\naaaaa\tx\n"))
    let assembler = try PairAssembler(
        pairs,
        sourceVocabulary: Vocabulary(.characters, of: pairs.sources, specialSymbols: true),
        targetVocabulary: Vocabulary(.characters, of: pairs.targets, specialSymbols: true), seed: 1,
        lengthLimit: 4)
    #expect(assembler.sampleCount == 3 && assembler.droppedCount == 1)
    let batch = assembler.makeBatch(capacity: 3)
    assembler.fill(batch, with: .inOrder(0..<3), order: nil)
    #expect((batch.length, batch.sourceLength, batch.targetCount) == (4, 3, 9))
    #expect(
        (0..<3).map { batch.row($0, of: batch.sources) } == [[4, 5, 0], [4, 5, 6], [5, 0, 0]])
    #expect(
        (0..<3).map { batch.row($0, of: batch.inputs) } == [
            [2, 4, 0, 0], [2, 4, 5, 6], [2, 6, 6, 0],
        ])
    #expect(
        (0..<3).map { batch.row($0, of: batch.targets) } == [
            [4, 3, -100, -100], [4, 5, 6, 3], [6, 6, 3, -100],
        ])
    #expect(
        (0..<3).map { batch.weightRow($0) } == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]])
    #expect((0..<3).map { batch.lengths[$0] } == [2, 4, 3])
    #expect((0..<3).map { batch.sourceLengths[$0] } == [2, 3, 1])
    // A smaller batch is packed anew.
    assembler.fill(batch, with: .inOrder(2..<3), order: nil)
    #expect((batch.length, batch.sourceLength, batch.targetCount) == (3, 1, 3))
    #expect(batch.row(0, of: batch.inputs) == [2, 6, 6])
    assembler.fill(batch, with: .inOrder(1..<1), order: nil)
    #expect((batch.count, batch.length, batch.targetCount) == (0, 0, 0))
}

/// Pairs of 1 to 40 symbols, their numbers decided by the index.
private func manyPairs(count: Int, seed: UInt64 = 5) throws -> PairAssembler {
    var generator = TestGenerator(state: 12)
    let pairs = (0..<count).map { _ in
        TextPair(
            source: String(repeating: "a", count: 1 + generator.next(below: 40)),
            target: String(repeating: "b", count: 1 + generator.next(below: 40)))
    }
    let text = try PairedText(pairs, name: "many")
    let vocabulary = Vocabulary(
        .characters, of: [text.sources, text.targets].joined(), specialSymbols: true)
    return try PairAssembler(
        text, sourceVocabulary: vocabulary, targetVocabulary: vocabulary, seed: seed,
        lengthLimit: 100)
}

@Test(arguments: [1, 2, 4], [(4, 1, 8), (8, 2, 3), (4, 1, 1), (4, 4, 40)])
func eachPairOfAnEpochIsUsedOnceByAllWorkersTogether(
    workers: Int, shape: (replicas: Int, accumulation: Int, batchSize: Int)
) throws {
    for lastBatch in StepPlan.LastBatch.allCases {
        var assembler = try manyPairs(count: 1009)
        let plan = try StepPlan(
            dataName: assembler.name, sampleCount: assembler.sampleCount, replicas: shape.replicas,
            accumulation: shape.accumulation, batchSize: shape.batchSize, lastBatch: lastBatch)
        assembler.bucketPlan = plan
        let batch = assembler.makeBatch(capacity: shape.batchSize)
        var used: [[UInt32]] = [[], []]
        let orders = (0..<2).map { assembler.order(ofEpoch: $0) }
        for worker in 0..<workers {
            let own = shape.replicas * worker / workers..<shape.replicas * (worker + 1) / workers
            for request in plan.workList(steps: 0..<(2 * plan.stepsPerEpoch), replicas: own) {
                guard case .training(let epoch, _) = request else { continue }
                assembler.fill(batch, with: request, order: orders[epoch])
                used[epoch] += batch.samples
            }
        }
        for samples in used {
            switch lastBatch {
            case .pad: #expect(samples.sorted() == (0..<1009).map { $0 })
            case .drop:
                #expect(samples.count == plan.stepsPerEpoch * plan.globalBatchSize)
                #expect(Set(samples).count == samples.count)
            }
        }
        #expect(used[0] != used[1])
    }
}

/// Cells of all of an epoch's batches that hold nothing, as a share.
private func paddingShare(_ assembler: PairAssembler, _ plan: StepPlan) -> Double {
    let batch = assembler.makeBatch(capacity: plan.batchSize)
    let order = assembler.order(ofEpoch: 0)
    var (cells, used) = (0, 0)
    for request in plan.workList(steps: 0..<plan.stepsPerEpoch, replicas: 0..<plan.replicas) {
        assembler.fill(batch, with: request, order: order)
        cells += batch.count * batch.sourceLength
        used += (0..<batch.count).reduce(0) { $0 + Int(batch.sourceLengths[$1]) }
    }
    return 1 - Double(used) / Double(cells)
}

@Test func batchesAreOfSimilarLengthInShuffledOrder() throws {
    var assembler = try manyPairs(count: 5003)
    let plan = try StepPlan(
        dataName: assembler.name, sampleCount: 5003, replicas: 4, accumulation: 1, batchSize: 16,
        lastBatch: .pad)
    let shuffledShare = paddingShare(assembler, plan)
    assembler.bucketPlan = plan
    let share = paddingShare(assembler, plan)
    print("padding: \(shuffledShare) shuffled, \(share) in buckets")
    #expect(shuffledShare > 0.4)
    #expect(share < 0.04)
    let order = assembler.order(ofEpoch: 0)
    #expect(order == assembler.order(ofEpoch: 0))
    #expect(order.samples != assembler.order(ofEpoch: 1).samples)
    let firstLengths = stride(from: 0, to: 4992, by: 16).map {
        assembler.sources.length(ofRow: Int(order.samples[$0]))
    }
    // As many rises as falls: the batches are not sorted.
    let rises = zip(firstLengths, firstLengths.dropFirst()).count { $0 < $1 }
    #expect((110...200).contains(rises))
}

@Test func bucketsAreThoseOfEveryEarlierVersion() throws {
    // A change here changes the bits of every trained model, so it must be meant.
    var assembler = try manyPairs(count: 11, seed: 1)
    assembler.bucketPlan = try StepPlan(
        dataName: "many", sampleCount: 11, replicas: 2, accumulation: 1, batchSize: 2,
        lastBatch: .pad)
    #expect(assembler.order(ofEpoch: 0).samples == [1, 7, 9, 10, 2, 6, 5, 3, 4, 8, 0])
}

@Test func prefetchedPairsAreThoseOfTheListInItsOrder() throws {
    var assembler = try manyPairs(count: 100)
    let plan = try StepPlan(
        dataName: assembler.name, sampleCount: assembler.sampleCount, replicas: 3, accumulation: 2,
        batchSize: 4, lastBatch: .pad)
    assembler.bucketPlan = plan
    let work = plan.workList(steps: 1..<12, replicas: 1..<3)
    let prefetcher = Prefetcher(assembler: assembler, work: work, capacity: 4)
    defer { prefetcher.stop() }
    let direct = assembler.makeBatch(capacity: 4)
    for request in work {
        let batch = try #require(try prefetcher.next())
        guard case .training(let epoch, _) = request else { continue }
        assembler.fill(direct, with: request, order: assembler.order(ofEpoch: epoch))
        #expect(batch.contents == direct.contents)
        prefetcher.recycle(batch)
    }
    #expect(try prefetcher.next() == nil)
}
