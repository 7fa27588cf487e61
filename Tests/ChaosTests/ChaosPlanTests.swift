import CommandLineTool
import Foundation
import RunFolders
import Testing
import Training

@Suite struct ChaosPlanTests {
    private static let kinds: [ChaosKind] = [.kill, .stop, .checkpoint, .leave, .reset, .cut]

    private func plan(seed: UInt64, count: Int = 20, steps: Int = 4690) -> ChaosPlan {
        ChaosPlan(
            seed: seed, count: count, steps: steps, kinds: Self.kinds,
            checkpointSteps: Array(stride(from: 469, to: steps, by: 469)))
    }

    @Test func aSeedIsAPlan() {
        #expect(plan(seed: 7) == plan(seed: 7))
        #expect(plan(seed: 7) != plan(seed: 8))
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func eventsAreSpreadOverTheRun(seed: UInt64) {
        let events = plan(seed: seed).events
        #expect(events.map(\.number) == Array(1...20))
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.step < $1.step })
        #expect(events.allSatisfy { 0 < $0.step && $0.step < 4690 })
        #expect(events.allSatisfy { (0.5...4).contains($0.seconds) && $0.choice >= 0 })
        // In each quarter of the run something happens.
        #expect(Set(events.map { $0.step * 4 / 4690 }) == [0, 1, 2, 3])
        #expect(events.filter { $0.kind == .checkpoint }.allSatisfy { $0.step % 469 == 0 })
    }

    @Test func everyKindIsDrawn() {
        let drawn = (1...20).flatMap { plan(seed: $0).events.map(\.kind) }
        #expect(Set(drawn) == Set(Self.kinds))
        let kills = drawn.count { $0 == .kill }
        #expect(kills > drawn.count / 4 && kills < drawn.count * 2 / 3)
    }

    @Test func withoutCheckpointsWorkersAreKilledAtAnyStep() {
        let plan = ChaosPlan(
            seed: 1, count: 5, steps: 100, kinds: [.checkpoint], checkpointSteps: [])
        #expect(plan.events.map(\.kind) == Array(repeating: .kill, count: 5))
    }

    @Test func shortRunsKeepTheirEventsInside() {
        let events = plan(seed: 3, count: 50, steps: 10).events
        #expect(events.count == 50)
        #expect(events.allSatisfy { (1...9).contains($0.step) })
    }
}

@Suite struct ChaosFilesTests {
    private let folder = RunFolder(
        path: FileManager.default.temporaryDirectory.path + "/rondo-chaos-\(UUID().uuidString)")

    private func write(_ ledger: [LedgerLine], _ steps: [(Int, Double, Double)]) throws {
        try FileManager.default.createDirectory(
            atPath: folder.path, withIntermediateDirectories: true)
        try ledger.reduce(into: Data()) { $0 += $1.bytes }
            .write(to: URL(fileURLWithPath: folder.ledgerPath))
        let lines = steps.map { step, time, seconds in
            "{\"learning_rate\":0.1,\"seconds\":\(seconds),\"step\":\(step),\"time\":\(time)}\n"
        }
        try Data((lines.joined() + "{\"loss\":1,\"seconds\":0.125,\"step\":3}\n{\"st").utf8)
            .write(to: URL(fileURLWithPath: folder.metricsPath))
    }

    private func generation(_ number: UInt32, after: Int) -> LedgerLine {
        .generation(LedgerGeneration(generation: number, after: after, workers: []))
    }

    private func step(_ step: Int, _ generation: UInt32) -> LedgerLine {
        .step(LedgerStep(step: step, epoch: 1, first: 0, count: 1, generation: generation))
    }

    private var event: ChaosEvent {
        ChaosPlan(seed: 1, count: 1, steps: 9, kinds: [.kill], checkpointSteps: []).events[0]
    }

    @Test func recoveryEndsWithTheFirstStepOfTheNewMembers() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        // Step 3 was committed by the old members right after the event, and told of later.
        try write(
            [
                generation(1, after: 0), step(1, 1), step(2, 1), generation(2, after: 3),
                step(3, 1),
                generation(3, after: 5), step(4, 2), step(5, 2), step(6, 3),
            ],
            [
                (1, 100, 0.5), (2, 101, 0.5), (3, 101.6, 0.5), (4, 103, 0.75), (5, 104, 0.5),
                (6, 105, 1),
            ])
        let moment = ChaosMoment(time: 101.5, generation: 1, step: 2)
        let outcome = try #require(
            ChaosFiles.outcome(of: event, since: moment, breaksTheStep: true, in: folder))
        #expect(outcome.recoverySeconds == 1.5)
        // With the evaluation after step 3.
        #expect(outcome.computingSeconds == 0.875)
        #expect(outcome.pauseSeconds == 0.625)
        #expect(outcome.recomputedSteps == 1)
        // One that would not fit in was over before the event.
        let late = ChaosMoment(time: 102.25, generation: 1, step: 3)
        let other = try #require(
            ChaosFiles.outcome(of: event, since: late, breaksTheStep: true, in: folder))
        #expect(other.computingSeconds == 0.75 && other.pauseSeconds == 0)
    }

    @Test func goingBackCountsAllStepsThatAreComputedAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try write(
            [generation(1, after: 0), step(1, 1), generation(2, after: 1), step(2, 2)],
            [(1, 100, 0.5), (2, 109, 0.5)])
        let moment = ChaosMoment(time: 105, generation: 1, step: 4)
        let outcome = try #require(
            ChaosFiles.outcome(of: event, since: moment, breaksTheStep: true, in: folder))
        #expect(outcome.recomputedSteps == 4)
        #expect(outcome.recoverySeconds == 4)
    }

    @Test func withoutAChangeTheNextStepCounts() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try write(
            [generation(1, after: 0), step(1, 1), step(2, 1), step(3, 1)],
            [(1, 100, 0.5), (2, 103, 3), (3, 104, 0.5)])
        let moment = ChaosMoment(time: 101, generation: 1, step: 1)
        let outcome = try #require(
            ChaosFiles.outcome(of: event, since: moment, breaksTheStep: true, in: folder))
        #expect(outcome.recoverySeconds == 2)
        #expect(outcome.pauseSeconds == 0)
        #expect(outcome.recomputedSteps == 0)
    }

    @Test func withoutAStepThereIsNoOutcome() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try write([generation(1, after: 0), step(1, 1)], [(1, 100, 0.5)])
        let moment = ChaosMoment(time: 101, generation: 1, step: 1)
        #expect(
            ChaosFiles.outcome(of: event, since: moment, breaksTheStep: true, in: folder) == nil)
    }

    @Test func percentiles() {
        let values = (1...20).map(Double.init)
        #expect(ChaosTable.median(values) == 10.5)
        #expect(ChaosTable.percentile95(values) == 19)
        #expect(ChaosTable.percentile95(Array(values.prefix(19))) == 19)
        #expect(ChaosTable.median([3]) == 3 && ChaosTable.percentile95([3]) == 3)
        #expect(ChaosTable.median([]) == 0 && ChaosTable.percentile95([]) == 0)
    }

    @Test func theTableHasALineForEachKind() {
        let outcomes = [1.0, 3, 2].map {
            ChaosOutcome(
                number: 1, kind: .kill, recoverySeconds: $0 + 0.5, computingSeconds: 0.5,
                recomputedSteps: 1)
        }
        let lines = ChaosTable.lines(outcomes)
        #expect(lines.count == 2)
        #expect(
            lines[1].split(separator: " ").map(String.init)
                == ["SIGKILL", "3", "2.00", "3.00", "3.00", "2.50", "3.50", "3.50", "1"])
    }
}
