// Windows of a text: what lies in them, that each comes once, that nothing depends on who asks.

import Datasets
import Foundation
import Testing

private func numbered(
    count: Int, context: Int, seed: UInt64 = 3, _ sampling: WindowSampling
) throws(DataError) -> WindowAssembler {
    try WindowAssembler(
        name: "numbers", tokens: (0..<Int32(count)).map { $0 }, context: context, seed: seed,
        sampling: sampling)
}

@Test func windowIsReadAndPredictedOneFurther() throws {
    let assembler = try numbered(count: 40, context: 6, .random(perEpoch: 5))
    let batch = assembler.makeBatch(capacity: 4)
    let order = assembler.order(ofEpoch: 2)
    assembler.fill(batch, with: .training(epoch: 2, positions: 1..<4), order: order)
    #expect(batch.count == 3 && batch.length == 6 && batch.targetCount == 18)
    #expect(batch.samples == Array(order.samples[1..<4]))
    for row in 0..<3 {
        let start = Int32(assembler.start(epoch: 2, sample: batch.samples[row]))
        #expect(batch.row(row, of: batch.inputs) == Array(start..<(start + 6)))
        #expect(batch.row(row, of: batch.targets) == Array((start + 1)..<(start + 7)))
        #expect(batch.weightRow(row) == [1, 1, 1, 1, 1, 1])
        #expect(batch.lengths[row] == 6)
    }
}

@Test func evaluationPredictsEachTokenOnce() throws {
    for (count, windows) in [(14, 3), (13, 2), (7, 1), (19, 3)] {
        let assembler = try numbered(count: count, context: 6, .tiled)
        #expect(assembler.evaluationCount == windows)
        let batch = assembler.makeBatch(capacity: windows)
        assembler.fill(batch, with: .inOrder(0..<windows), order: nil)
        let targets = (0..<windows).flatMap { row in
            batch.row(row, of: batch.targets).prefix(Int(batch.lengths[row]))
        }
        #expect(targets == Array(1..<Int32(count)))
        #expect(batch.targetCount == count - 1)
    }
    let assembler = try numbered(count: 9, context: 6, .tiled)
    let batch = assembler.makeBatch(capacity: 2)
    assembler.fill(batch, with: .inOrder(0..<2), order: nil)
    #expect(batch.row(1, of: batch.inputs) == [6, 7, 0, 0, 0, 0])
    #expect(batch.row(1, of: batch.targets) == [7, 8, -100, -100, -100, -100])
    #expect(batch.weightRow(1) == [1, 1, 0, 0, 0, 0])
}

@Test(arguments: [(7, 6), (8, 6), (12, 6), (13, 6), (100, 6), (101, 7), (50, 1), (2, 1)])
func tiledWindowsOfAnEpochDoNotOverlap(count: Int, context: Int) throws {
    let assembler = try numbered(count: count, context: context, .tiled)
    var shifts: Set<Int> = []
    for epoch in 0..<60 {
        let starts = (0..<UInt32(assembler.sampleCount)).map {
            assembler.start(epoch: epoch, sample: $0)
        }
        shifts.insert(starts[0])
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 == context })
        #expect(starts.allSatisfy { $0 >= 0 && $0 + context < count })
        #expect(starts[0] < context)
    }
    #expect(assembler.sampleCount >= count / context - 1)
    if count >= 3 * context { #expect(shifts.count == context) }
}

@Test func randomWindowsReachTheWholeText() throws {
    let assembler = try numbered(count: 20, context: 4, .random(perEpoch: 16_000))
    var counts = [Int](repeating: 0, count: 16)
    for sample in 0..<UInt32(16_000) { counts[assembler.start(epoch: 0, sample: sample)] += 1 }
    for count in counts { #expect(abs(count - 1000) < 150) }
    let standard = try numbered(count: 129, context: 16, .random(perEpoch: nil))
    #expect(standard.sampleCount == 8)
}

@Test func windowsAreThoseOfEveryEarlierVersion() throws {
    // A change here changes the bits of every trained language model, so it must be meant.
    let random = try numbered(count: 1000, context: 10, seed: 1, .random(perEpoch: 6))
    #expect((0..<6).map { random.start(epoch: 0, sample: $0) } == [29, 30, 543, 891, 821, 249])
    #expect((0..<4).map { random.start(epoch: $0, sample: 0) } == [29, 857, 315, 831])
    let tiled = try numbered(count: 1000, context: 10, seed: 1, .tiled)
    #expect((0..<8).map { tiled.start(epoch: $0, sample: 0) } == [2, 2, 9, 8, 4, 7, 0, 7])
    let other = try numbered(count: 1000, context: 10, seed: 2, .random(perEpoch: 6))
    #expect(other.start(epoch: 0, sample: 0) != random.start(epoch: 0, sample: 0))
}

@Test func textShorterThanAWindowIsRefused() {
    #expect(
        message { _ = try numbered(count: 6, context: 6, .tiled) }
            == "numbers: has 6 tokens, but a context of 6 needs at least 7")
}

@Test(arguments: [1, 2, 3, 4], [(4, 1, 3), (6, 2, 5), (5, 1, 1)])
func eachWindowOfAnEpochIsUsedOnceByAllWorkersTogether(
    workers: Int, shape: (replicas: Int, accumulation: Int, batchSize: Int)
) throws {
    let assembler = try numbered(count: 1003, context: 8, .tiled)
    let plan = try StepPlan(
        dataName: assembler.name, sampleCount: assembler.sampleCount, replicas: shape.replicas,
        accumulation: shape.accumulation, batchSize: shape.batchSize, lastBatch: .pad)
    let batch = assembler.makeBatch(capacity: shape.batchSize)
    var used: [[UInt32]] = [[], []]
    for worker in 0..<workers {
        let own = shape.replicas * worker / workers..<shape.replicas * (worker + 1) / workers
        for request in plan.workList(steps: 0..<(2 * plan.stepsPerEpoch), replicas: own) {
            guard case .training(let epoch, _) = request else { continue }
            assembler.fill(batch, with: request, order: assembler.order(ofEpoch: epoch))
            used[epoch] += batch.samples
        }
    }
    for samples in used {
        #expect(samples.sorted() == (0..<UInt32(assembler.sampleCount)).map { $0 })
    }
}

@Test func prefetchedWindowsAreThoseOfTheListInItsOrder() throws {
    let assembler = try numbered(count: 1003, context: 8, .random(perEpoch: 50))
    let plan = try StepPlan(
        dataName: assembler.name, sampleCount: assembler.sampleCount, replicas: 3, accumulation: 2,
        batchSize: 4, lastBatch: .pad)
    let work = plan.workList(steps: 1..<8, replicas: 1..<3)
    let prefetcher = Prefetcher(assembler: assembler, work: work, capacity: 4)
    defer { prefetcher.stop() }
    let direct = assembler.makeBatch(capacity: 4)
    for request in work {
        let batch = try #require(try prefetcher.next())
        #expect(batch.request == request)
        guard case .training(let epoch, _) = request else { continue }
        assembler.fill(direct, with: request, order: assembler.order(ofEpoch: epoch))
        #expect(batch.contents == direct.contents)
        prefetcher.recycle(batch)
    }
    #expect(try prefetcher.next() == nil)
}
