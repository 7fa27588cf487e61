// Deals that follow the members' speed, and reports of steps that come in another order.

import Rendezvous
import Testing
import WireFormat

@Suite struct DealingTests {
    private func deal(_ replicaCount: Int, _ seconds: [Double]) -> [Int] {
        SpeedDeal.deal(replicaCount: replicaCount, secondsPerReplica: seconds)?.ranges
            .map(\.count) ?? []
    }

    @Test func equalSpeedsGiveTheEqualDeal() {
        for (replicaCount, worldSize) in [(4, 2), (4, 3), (7, 3), (8, 8), (5, 1)] {
            let equal = ReplicaDeal.equal(replicaCount: replicaCount, worldSize: worldSize)
            #expect(
                deal(replicaCount, Array(repeating: 0.25, count: worldSize))
                    == equal.ranges.map(\.count))
        }
    }

    @Test func slowMembersGetFewerReplicas() {
        #expect(deal(4, [1, 3]) == [3, 1])
        #expect(deal(8, [3, 1, 1]) == [1, 4, 3])
        // Every worker has a replica.
        #expect(deal(4, [1, 1, 1000]) == [2, 1, 1])
    }

    /// No deal of 6 replicas to 3 members is done earlier, for many speeds.
    @Test func noOtherDealIsFaster() throws {
        for speeds in [[1.0, 1, 1], [1, 2, 3], [0.3, 0.31, 2], [5, 1, 1.5], [1, 1.4, 0.9]] {
            let found = try #require(SpeedDeal.deal(replicaCount: 6, secondsPerReplica: speeds))
            for first in 1...4 {
                for second in 1...(5 - first) {
                    let other = try ReplicaDeal(
                        ranges: [0..<first, first..<first + second, first + second..<6])
                    #expect(
                        SpeedDeal.seconds(found, speeds)
                            <= SpeedDeal.seconds(other, speeds) + 1e-12)
                }
            }
        }
    }

    @Test func smallGainsAreNotWorthAChange() {
        let current = ReplicaDeal.equal(replicaCount: 4, worldSize: 2)
        #expect(SpeedDeal.better(than: current, secondsPerReplica: [1, 1.3]) == nil)
        #expect(
            SpeedDeal.better(than: current, secondsPerReplica: [1, 3])?.ranges == [0..<3, 3..<4])
    }

    private func beat(
        _ harness: inout MembershipHarness, _ number: Int, _ seconds: Double, deal: Int = 0
    ) {
        let heartbeat = WorkerHeartbeat(
            step: 5, phase: "compute", secondsPerReplica: seconds, dealNumber: deal)
        _ = harness.handle(.heard(MemberID(number), heartbeat))
    }

    @Test func aDealThatLooksBetterTwiceIsAnnouncedOnce() {
        var harness = MembershipHarness.running()
        beat(&harness, 1, 1)
        beat(&harness, 2, 3)
        #expect(summary(harness.advance(.seconds(1))) == "")
        #expect(summary(harness.advance(.seconds(1))) == "redeal 1,2 as [3, 1]")
        // Until both have it in effect nothing else is thought of.
        beat(&harness, 1, 3)
        beat(&harness, 2, 1, deal: 1)
        #expect(summary(harness.advance(.seconds(1))) == "")
        #expect(summary(harness.advance(.seconds(1))) == "")
        beat(&harness, 1, 3, deal: 1)
        #expect(summary(harness.advance(.seconds(1))) == "")
        #expect(summary(harness.advance(.seconds(1))) == "redeal 1,2 as [1, 3]")
    }

    @Test func aPassingSlownessChangesNothing() {
        var harness = MembershipHarness.running()
        beat(&harness, 1, 1)
        beat(&harness, 2, 3)
        #expect(summary(harness.advance(.seconds(1))) == "")
        beat(&harness, 2, 1)
        #expect(summary(harness.advance(.seconds(1))) == "")
        beat(&harness, 2, 3)
        #expect(summary(harness.advance(.seconds(1))) == "")
    }
}

@Suite struct StepRecordTests {
    private let start = ContinuousClock.now

    private func reports(_ steps: ClosedRange<Int>) -> [StepReport] {
        steps.map {
            StepReport(
                step: $0, epoch: 1, lossSum: 1, sampleCount: 1, seconds: 0.1,
                learningRate: 0.1)
        }
    }

    @Test func earlyReportsWaitForThoseBeforeThem() {
        var record = StepRecord()
        #expect(record.take(reports(1...3), after: 0, now: start).map(\.step) == [1, 2, 3])
        #expect(record.take(reports(7...8), after: 3, now: start).isEmpty)
        #expect(record.take(reports(2...6), after: 3, now: start).map(\.step) == [4, 5, 6, 7, 8])
        #expect(record.take(reports(5...8), after: 8, now: start).isEmpty)
    }

    @Test func stepsThatWillBeComputedAgainAreForgotten() {
        var record = StepRecord()
        #expect(record.take(reports(7...8), after: 3, now: start).isEmpty)
        record.rewind(to: 3)
        #expect(record.take(reports(4...6), after: 3, now: start).map(\.step) == [4, 5, 6])
    }

    @Test func aGapThatIsNotFilledIsNamed() throws {
        var record = StepRecord()
        #expect(record.take(reports(7...8), after: 3, now: start).isEmpty)
        #expect(record.takeBehindGap(after: 3, now: start) == nil)
        let late = start + StepRecord.patience
        let behind = record.takeBehindGap(after: 3, now: late)
        let found = try #require(behind)
        #expect(found.missing == 4...6)
        #expect(found.reports.map(\.step) == [7, 8])
        #expect(record.takeBehindGap(after: 8, now: late) == nil)
    }
}
