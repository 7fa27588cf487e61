import Datasets
import Foundation
import Rendezvous
import RunFolders
import Testing
import Training
import WireFormat

/// A folder for a ledger, removed with the value that holds it.
private final class LedgerFolder {
    let path = FileManager.default.temporaryDirectory.path + "/rondo-ledger-\(UUID().uuidString)"
    var folder: RunFolder { RunFolder(path: path) }

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var lines: [LedgerLine] {
        let bytes = FileManager.default.contents(atPath: folder.ledgerPath) ?? Data()
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { LedgerLine($0) }
    }

    var steps: [Int] {
        lines.compactMap { if case .step(let step) = $0 { step.step } else { nil } }
    }

    /// The generation that each step names.
    var generations: [UInt32] {
        lines.compactMap { if case .step(let step) = $0 { step.generation } else { nil } }
    }

    func write(_ lines: [LedgerLine]) throws {
        let bytes = lines.reduce(into: Data()) { $0 += $1.bytes }
        try bytes.write(to: URL(fileURLWithPath: folder.ledgerPath))
    }
}

/// Ten samples in steps of 2 replicas x 2: two whole steps and one of two samples.
private let plan = try? StepPlan(
    dataName: "test", sampleCount: 10, replicas: 2, accumulation: 1, batchSize: 2, lastBatch: .pad)

private func generation(
    _ number: UInt32, after step: Int, workers: Int = 2
) -> GenerationDescription {
    GenerationDescription(
        number: number, deal: .equal(replicaCount: 2, worldSize: workers),
        workers: (0..<workers).map {
            WorkerDescription(
                rank: $0, slot: $0, hostName: "alpha", processID: Int32(100 * Int(number) + $0),
                arithmetic: "any")
        }, startStep: step, arithmetic: "any")
}

private func report(_ step: Int) throws -> StepReport {
    let plan = try #require(plan)
    let positions = plan.positions(ofStep: step - 1)
    return StepReport(
        step: step, epoch: plan.epoch(ofStep: step - 1) + 1, lossSum: 1,
        sampleCount: positions.count, seconds: 0.1, learningRate: 0.1,
        firstPosition: positions.lowerBound, time: Double(1000 + step))
}

@Suite struct LedgerFileTests {
    @Test func linesReadBack() throws {
        let step = LedgerLine.step(
            LedgerStep(step: 121, epoch: 3, first: 384, count: 128, generation: 7))
        let members = LedgerLine.generation(
            LedgerGeneration(
                generation: 7, after: 120,
                workers: [.init(host: "a/b", pid: 42, slot: 1, first: 0, count: 2)]))
        for line in [step, members] {
            #expect(LedgerLine(line.bytes.dropLast()) == line)
            // Cut anywhere it is no line.
            for count in 0..<line.bytes.count - 1 {
                #expect(LedgerLine(line.bytes.prefix(count)) == nil)
            }
        }
        #expect(step.bytes.count < 70)
    }

    @Test func stepsStandBehindTheMembersThatCommittedThem() throws {
        let folder = try LedgerFolder()
        let ledger = try LedgerFile(folder: folder.folder, startStep: 0)
        try ledger.open(generation(1, after: 0))
        try ledger.append([report(1), report(2)])
        // The report of step 3 was lost with a worker and comes once more from a peer, when the
        // next generation is open; one generation did not come to stand.
        try ledger.open(generation(2, after: 3))
        try ledger.open(generation(3, after: 3, workers: 1))
        try ledger.append([report(3), report(4)])
        #expect(folder.steps == [1, 2, 3, 4])
        #expect(folder.generations == [1, 1, 1, 3])
        var audit = LedgerAudit(plan: try #require(plan), totalSteps: 6) { _ in Array(0..<10) }
        folder.lines.forEach { audit.take($0) }
        let found = audit.finish(finishedStep: nil)
        #expect(found.faults == [])
        #expect(found.generations == 3 && found.workers == 5)
    }

    @Test func goingBackCutsOff() throws {
        let folder = try LedgerFolder()
        let ledger = try LedgerFile(folder: folder.folder, startStep: 0)
        try ledger.open(generation(1, after: 0))
        try ledger.append([report(1), report(2), report(3), report(4)])
        try ledger.open(generation(2, after: 6))
        try ledger.open(generation(3, after: 2))
        try ledger.append([report(3)])
        #expect(folder.steps == [1, 2, 3])
        #expect(folder.generations == [1, 1, 3])
        #expect(folder.lines.count == 5)
    }

    @Test func whoeverTakesOverGoesOnWithTheOpenGeneration() throws {
        let folder = try LedgerFolder()
        do {
            let ledger = try LedgerFile(folder: folder.folder, startStep: 0)
            try ledger.open(generation(1, after: 0))
            try ledger.append([report(1), report(2)])
            try ledger.open(generation(2, after: 3))
            try ledger.open(generation(3, after: 4))
        }
        // Step 2 is in the ledger, but did not come into the metrics.
        let open = LedgerGeneration(
            generation: 3, after: 4,
            workers: (0..<2).map {
                .init(host: "alpha", pid: Int32(300 + $0), slot: $0, first: $0, count: 1)
            })
        let ledger = try LedgerFile(folder: folder.folder, startStep: 1, generation: open)
        try ledger.append([report(2), report(3), report(4), report(5)])
        #expect(folder.steps == [1, 2, 3, 4, 5])
        #expect(folder.generations == [1, 1, 1, 2, 3])
        #expect(folder.lines.count == 8)
        // Nor did the open generation's line get so far.
        let other = try LedgerFolder()
        let begun = try LedgerFile(
            folder: other.folder, startStep: 0,
            generation: LedgerGeneration(generation: 1, after: 0, workers: open.workers))
        try begun.append([report(1)])
        #expect(other.generations == [1])
    }

    @Test func aResumedRunGoesOnBehindItsCheckpoint() throws {
        let folder = try LedgerFolder()
        do {
            let ledger = try LedgerFile(folder: folder.folder, startStep: 0)
            try ledger.open(generation(1, after: 0))
            try ledger.append([report(1), report(2)])
        }
        let file = try #require(FileHandle(forWritingAtPath: folder.folder.ledgerPath))
        try file.seekToEnd()
        try file.write(contentsOf: Data("{\"step\":3,\"epo".utf8))
        try file.close()
        let resumed = try LedgerFile(folder: folder.folder, startStep: 2)
        try resumed.open(generation(1, after: 2))
        try resumed.append([report(3)])
        #expect(folder.steps == [1, 2, 3])
        #expect(folder.lines.count == 5)
        let begun = try LedgerFile(folder: folder.folder, startStep: 0)
        try begun.open(generation(1, after: 0))
        #expect(folder.steps == [] && folder.lines.count == 1)
    }
}

@Suite struct LedgerAuditTests {
    /// Two epochs of three steps, with one change of members.
    private func sound() throws -> [LedgerLine] {
        var lines: [LedgerLine] = []
        for step in 1...6 {
            let number: UInt32 = step <= 3 ? 1 : 2
            if step == 1 || step == 4 {
                lines.append(
                    .generation(
                        LedgerGeneration(
                            generation: number, after: step - 1,
                            workers: [
                                .init(host: "alpha", pid: 7, slot: 0, first: 0, count: 1),
                                .init(
                                    host: "beta", pid: Int32(number), slot: 1, first: 1, count: 1),
                            ])))
            }
            let report = try report(step)
            lines.append(
                .step(
                    LedgerStep(
                        step: step, epoch: report.epoch, first: report.firstPosition,
                        count: report.sampleCount, generation: number)))
        }
        return lines
    }

    private func audit(
        _ lines: [LedgerLine], finishedStep: Int? = 6,
        order: @escaping (Int) -> [UInt32] = { epoch in
            SampleOrder(seed: 1, epoch: epoch, sampleCount: 10).samples
        }
    ) throws -> AuditReport {
        var audit = LedgerAudit(plan: try #require(plan), totalSteps: 6, order: order)
        audit.take(ledger: lines.reduce(into: Data()) { $0 += $1.bytes })
        return audit.finish(finishedStep: finishedStep)
    }

    @Test func aSoundLedgerIsClean() throws {
        let found = try audit(sound())
        #expect(found.faults == [])
        #expect(found.isClean)
        #expect(found.steps == 6 && found.generations == 2 && found.workers == 3)
        #expect(found.epochs.map(\.usedOnce) == [10, 10])
        #expect(found.epochs.allSatisfy { $0.isComplete && $0.unused == 0 && $0.leftOut == 0 })
    }

    @Test func aRunUnderWayIsClean() throws {
        let found = try audit(Array(sound().dropLast(2)), finishedStep: nil)
        #expect(found.faults == [])
        #expect(found.epochs.last?.isComplete == false)
        #expect(found.epochs.last?.unused == 6)
    }

    @Test func aMissingStepIsFound() throws {
        var lines = try sound()
        lines.remove(at: 2)
        let found = try audit(lines)
        #expect(found.faults.contains("step 2 is missing"))
        #expect(found.faults.contains("epoch 1: 4 samples were not used"))
    }

    @Test func aMissingEndIsFound() throws {
        let found = try audit(Array(sound().dropLast(2)))
        #expect(
            found.faults == ["steps 5-6 are missing: the final model is that of step 6"])
    }

    @Test func aStepBeyondTheEndIsFound() throws {
        var lines = try sound()
        lines.append(.step(LedgerStep(step: 7, epoch: 3, first: 0, count: 4, generation: 2)))
        #expect(try audit(lines).faults.contains("step 7 is beyond the run's 6 steps"))
    }

    @Test(arguments: [6, nil]) func aTornEndIsAFaultOnceTheRunHasEnded(finishedStep: Int?) throws {
        var audit = LedgerAudit(plan: try #require(plan), totalSteps: 6) { epoch in
            SampleOrder(seed: 1, epoch: epoch, sampleCount: 10).samples
        }
        audit.take(ledger: try sound().reduce(into: Data()) { $0 += $1.bytes } + Data("{\"st".utf8))
        let faults = audit.finish(finishedStep: finishedStep).faults
        #expect(
            faults
                == (finishedStep == nil
                    ? [] : ["something follows the last line of a run that has ended"]))
    }

    @Test func aDoubledStepIsFound() throws {
        var lines = try sound()
        lines.insert(lines[2], at: 3)
        let found = try audit(lines)
        #expect(found.faults.contains("step 2 follows step 2"))
        #expect(found.faults.contains("epoch 1: 4 samples were used more than once"))
    }

    @Test func aWrongRangeIsFound() throws {
        var lines = try sound()
        lines[2] = .step(LedgerStep(step: 2, epoch: 1, first: 3, count: 4, generation: 1))
        let found = try audit(lines)
        #expect(
            found.faults.contains(
                "step 2 used samples 3-6 of epoch 1, but has samples 4-7 of epoch 1")
        )
        #expect(found.faults.contains("epoch 1: 1 samples were used more than once"))
        #expect(found.faults.contains("epoch 1: 1 samples were not used"))
        #expect(found.epochs[0].usedOnce == 8)
    }

    @Test func anEpochThatIsNoneIsFound() throws {
        var lines = try sound()
        lines[1] = .step(LedgerStep(step: 1, epoch: 0, first: 0, count: 4, generation: 1))
        let found = try audit(lines)
        #expect(found.faults.contains("step 1 names epoch 0"))
        #expect(found.faults.contains("epoch 1: 4 samples were not used"))
    }

    @Test func lostSamplesAreFound() throws {
        var lines = try sound()
        lines[2] = .step(LedgerStep(step: 2, epoch: 1, first: 4, count: 2, generation: 1))
        let found = try audit(lines)
        #expect(found.faults.contains("epoch 1: 2 samples were not used"))
    }

    @Test(arguments: [
        ([0..<1], "replica 1 belongs to no workers"),
        ([0..<2, 1..<2], "replica 1 belongs to 2 workers"),
        ([0..<1, 1..<4], "worker 1 has replicas that are not there"),
    ])
    func replicasOfNobodyOrOfTwoAreFound(_ ranges: [Range<Int>], _ words: String) throws {
        var lines = try sound()
        lines[4] = .generation(
            LedgerGeneration(
                generation: 2, after: 3,
                workers: ranges.enumerated().map { slot, range in
                    .init(
                        host: "alpha", pid: Int32(slot), slot: slot, first: range.lowerBound,
                        count: range.count)
                }))
        let found = try audit(lines)
        #expect(found.faults.contains("generation 2: \(words)"))
    }

    @Test func aProcessThatIsTwoWorkersIsFound() throws {
        var lines = try sound()
        lines[4] = .generation(
            LedgerGeneration(
                generation: 2, after: 3,
                workers: (0..<2).map { .init(host: "a", pid: 1, slot: $0, first: $0, count: 1) }))
        #expect(try audit(lines).faults == ["generation 2: process 1 on a is a member twice"])
    }

    @Test func aGenerationThatBeginsElsewhereIsFound() throws {
        var lines = try sound()
        let moved = lines.remove(at: 4)
        lines.insert(moved, at: 5)
        #expect(
            try audit(lines).faults.contains("generation 2 begins after step 3, but follows step 4")
        )
    }

    @Test func stepsOfUnknownMembersAreFound() throws {
        var lines = try sound()
        lines.remove(at: 4)
        #expect(
            try audit(lines).faults.contains(
                "step 4 names generation 2, but follows the members of 1"))
        #expect(
            try audit(Array(sound().dropFirst())).faults.contains(
                "step 1 names generation 1, but no members precede it"))
    }

    @Test func anOrderWithASampleTwiceIsFound() throws {
        let found = try audit(sound()) { _ in [0, 1, 2, 3, 4, 5, 6, 7, 8, 8] }
        #expect(found.faults.contains("epoch 2: its order does not hold every sample once"))
    }

    /// No bytes make it trap, and faults stay bounded in number.
    @Test func anyBytesGiveAnAnswer() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0..<1 << 32, using: &generator)
        var random = SplitMix(state: seed)
        let bytes = try sound().reduce(into: Data()) { $0 += $1.bytes }
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] =
                    UInt8.random(in: 32..<127, using: &random)
            }
            var audit = LedgerAudit(plan: try #require(plan), totalSteps: 6) { _ in [] }
            audit.take(ledger: damaged)
            let found = audit.finish(finishedStep: 6)
            #expect(!found.isClean && found.faults.count <= 20, "seed \(seed)")
        }
    }
}

/// SplitMix64.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
