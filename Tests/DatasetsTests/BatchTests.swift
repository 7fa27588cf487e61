// What lies in a batch: normalisation, mirroring, cutting, and that the prefetcher changes nothing.

import Datasets
import Foundation
import Testing

private func pixels(_ batch: ImageBatch) -> [Float] {
    Array(UnsafeBufferPointer(start: batch.pixels, count: batch.count * batch.imageElementCount))
}

private func samples(_ batch: ImageBatch) -> [UInt32] {
    Array(UnsafeBufferPointer(start: batch.sampleIndices, count: batch.count))
}

@Test func batchInOrderIsNormalised() throws {
    let dataset = try numberedDataset(count: 6, channels: 2)
    let assembler = try ImageBatchAssembler(
        dataset: dataset, seed: 1, mean: [0.25, 0.5], standardDeviation: [0.5, 2])
    let batch = assembler.makeBatch(capacity: 4)
    assembler.fill(batch, with: .inOrder(2..<5), order: nil)
    #expect(batch.count == 3)
    #expect(samples(batch) == [2, 3, 4])
    #expect((0..<3).map { batch.labels[$0] } == [2, 3, 4])
    let expected = (0..<(3 * 40)).map { i -> Float in
        let scaled = Double(dataset.pixels[2 * 40 + i]) / 255
        return Float(i % 2 == 0 ? (scaled - 0.25) / 0.5 : (scaled - 0.5) / 2)
    }
    #expect(pixels(batch) == expected)
}

@Test func numbersPerChannelMustMatch() throws {
    let dataset = try numberedDataset(count: 2, channels: 3)
    let error = #expect(throws: DataError.self) {
        try ImageBatchAssembler(dataset: dataset, seed: 1, mean: [0], standardDeviation: [1])
    }
    #expect(
        error?.description == "numbered: images have 3 channels, but data.mean and "
            + "data.standardDeviation have 1 numbers")
}

@Test(arguments: [1, 3])
func augmentedImageIsTheChosenCutOfThePaddedOne(channels: Int) throws {
    let dataset = try numberedDataset(count: 40, channels: channels)
    let augmentation = Augmentation(horizontalFlip: true, cropPadding: 2)
    let assembler = try ImageBatchAssembler(
        dataset: dataset, seed: 8, mean: [Double](repeating: 0.1, count: channels),
        standardDeviation: [Double](repeating: 0.2, count: channels), augmentation: augmentation)
    let batch = assembler.makeBatch(capacity: 40)
    let order = SampleOrder(seed: 8, epoch: 3, sampleCount: 40)
    assembler.fill(batch, with: .training(epoch: 3, positions: 0..<40), order: order)
    #expect(samples(batch) == order.samples)
    var choices: Set<[Int]> = []
    for (row, sample) in order.samples.enumerated() {
        let choice = augmentation.choice(seed: 8, epoch: 3, sample: sample)
        choices.insert([choice.isMirrored ? 1 : 0, choice.down, choice.right])
        // The slow and plain way: pad, cut, mirror.
        let padded = (0..<8).map { y in
            (0..<9).map { x in
                (0..<channels).map { channel -> UInt8 in
                    guard (2..<6).contains(y), (2..<7).contains(x) else { return 0 }
                    let pixel = ((Int(sample) * 4 + y - 2) * 5 + x - 2) * channels + channel
                    return dataset.pixels[pixel]
                }
            }
        }
        let cut = padded[(2 + choice.down)..<(6 + choice.down)].map { line in
            Array(line[(2 + choice.right)..<(7 + choice.right)])
        }
        let turned = choice.isMirrored ? cut.map { $0.reversed() } : cut
        let expected = turned.flatMap { $0.flatMap { $0 } }.map {
            Float((Double($0) / 255 - 0.1) / 0.2)
        }
        let size = dataset.imageByteCount
        #expect(Array(pixels(batch)[(row * size)..<((row + 1) * size)]) == expected)
    }
    #expect(choices.count > 20)
}

@Test func choicesAreFairAndKeyedBySeedEpochAndSample() {
    let augmentation = Augmentation(horizontalFlip: true, cropPadding: 1)
    var mirrored = 0
    var corners = [Int](repeating: 0, count: 9)
    for sample in 0..<UInt32(9000) {
        let choice = augmentation.choice(seed: 5, epoch: 1, sample: sample)
        mirrored += choice.isMirrored ? 1 : 0
        corners[(choice.down + 1) * 3 + choice.right + 1] += 1
        #expect(choice == augmentation.choice(seed: 5, epoch: 1, sample: sample))
    }
    #expect(abs(mirrored - 4500) < 250)
    for count in corners { #expect(abs(count - 1000) < 160) }
    let differing = (0..<UInt32(900)).count { sample in
        augmentation.choice(seed: 5, epoch: 1, sample: sample)
            != augmentation.choice(seed: 5, epoch: 2, sample: sample)
    }
    #expect(differing > 700)
    #expect(Augmentation.none.choice(seed: 5, epoch: 1, sample: 1) == (false, 0, 0))
    let flipOnly = Augmentation(horizontalFlip: true)
    #expect(
        (0..<UInt32(50)).allSatisfy { sample in
            let choice = flipOnly.choice(seed: 5, epoch: 1, sample: sample)
            return choice.down == 0 && choice.right == 0
        })
}

@Test(arguments: [1, 2, 5])
func prefetchedBatchesAreThoseOfTheListInItsOrder(depth: Int) throws {
    let assembler = try ImageBatchAssembler(
        dataset: numberedDataset(count: 50), seed: 4, mean: [0.5], standardDeviation: [0.5],
        augmentation: Augmentation(horizontalFlip: true, cropPadding: 1))
    let plan = try StepPlan(
        dataName: "numbered", sampleCount: 50, replicas: 3, accumulation: 2, batchSize: 4,
        lastBatch: .pad)
    let work = plan.workList(steps: 1..<8, replicas: 1..<3)
    let prefetcher = ImagePrefetcher(assembler: assembler, work: work, capacity: 4, depth: depth)
    defer { prefetcher.stop() }
    let direct = assembler.makeBatch(capacity: 4)
    // Batches are given back late and in another order, as far as the depth allows.
    var held: [ImageBatch] = []
    for request in work {
        let batch = try #require(try prefetcher.next())
        #expect(batch.request == request)
        guard case .training(let epoch, _) = request else { continue }
        assembler.fill(
            direct, with: request, order: SampleOrder(seed: 4, epoch: epoch, sampleCount: 50))
        #expect(samples(batch) == samples(direct))
        #expect(pixels(batch) == pixels(direct))
        held.append(batch)
        if held.count > depth { while let batch = held.popLast() { prefetcher.recycle(batch) } }
    }
    #expect(try prefetcher.next() == nil)
    #expect(try prefetcher.next() == nil)
}

@Test func stoppingEarlyEndsTheThreadAndTheList() throws {
    let assembler = try ImageBatchAssembler(
        dataset: numberedDataset(count: 20), seed: 4, mean: [0], standardDeviation: [1])
    let work = (0..<1_000_000).lazy.map { _ in BatchRequest.inOrder(0..<20) }
    let prefetcher = ImagePrefetcher(
        assembler: assembler, work: Array(work.prefix(10_000)), capacity: 20)
    let first = try #require(try prefetcher.next())
    #expect(first.count == 20)
    prefetcher.stop()
    prefetcher.stop()
    #expect(try prefetcher.next() == nil)
}

@Test func batchThatNobodyGivesBackIsReportedAsStalled() throws {
    let assembler = try ImageBatchAssembler(
        dataset: numberedDataset(count: 20), seed: 4, mean: [0], standardDeviation: [1])
    let prefetcher = ImagePrefetcher(
        assembler: assembler, work: [BatchRequest](repeating: .inOrder(0..<5), count: 9),
        capacity: 5, depth: 1, timeout: .milliseconds(50))
    defer { prefetcher.stop() }
    let held = [try prefetcher.next(), try prefetcher.next()]
    #expect(held.allSatisfy { $0 != nil })
    let error = #expect(throws: DataError.self) { try prefetcher.next() }
    #expect(error?.description == "prefetch: no batch was prepared within 0.05 seconds")
}

@Test func theSamePoolOfBatchesCirculates() throws {
    let assembler = try ImageBatchAssembler(
        dataset: numberedDataset(count: 20), seed: 4, mean: [0], standardDeviation: [1])
    let prefetcher = ImagePrefetcher(
        assembler: assembler, work: [BatchRequest](repeating: .inOrder(0..<5), count: 200),
        capacity: 5, depth: 2)
    defer { prefetcher.stop() }
    var seen: Set<ObjectIdentifier> = []
    var count = 0
    while let batch = try prefetcher.next() {
        seen.insert(ObjectIdentifier(batch))
        count += 1
        prefetcher.recycle(batch)
    }
    #expect(count == 200)
    #expect(seen.count <= 3)
}
