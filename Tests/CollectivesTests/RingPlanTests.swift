// The schedule as plain data: every walk is complete, and every wait is for something that comes.

import Collectives
import Testing
import WireFormat

/// All ways to deal `replicaCount` replicas to any number of workers.
func allDeals(_ replicaCount: Int) throws -> [ReplicaDeal] {
    // Bit i says whether a range ends after replica i.
    try (0..<1 << (replicaCount - 1)).map { ends in
        var ranges: [Range<Int>] = []
        var first = 0
        for replica in 0..<replicaCount
        where replica == replicaCount - 1 || ends >> replica & 1 == 1 {
            ranges.append(first..<replica + 1)
            first = replica + 1
        }
        return try ReplicaDeal(ranges: ranges)
    }
}

@Suite struct RingPlanTests {
    @Test(arguments: [1, 2, 4, 6, 8])
    func bothEndsOfEveryLinkHaveTheSameList(_ replicaCount: Int) throws {
        for deal in try allDeals(replicaCount) where deal.worldSize > 1 {
            let plan = RingPlan(deal: deal)
            let schedules = (0..<deal.worldSize).map { plan.schedule(of: $0) }
            for (rank, schedule) in schedules.enumerated() {
                let next = schedules[(rank + 1) % deal.worldSize]
                #expect(
                    schedule.sends.map { [$0.hop, $0.chunk] }
                        == next.receives.map { [$0.hop, $0.chunk] })
                #expect(schedule.sends.map(\.phase) == next.receives.map(\.phase))
                for send in schedule.sends {
                    guard case .received(let index) = send.source else {
                        #expect(send.hop == 1)
                        continue
                    }
                    let origin = schedule.receives[index]
                    #expect(origin.chunk == send.chunk && origin.hop == send.hop - 1)
                }
            }
        }
    }

    /// Runs the plan on lists of replica numbers instead of floats.
    @Test(arguments: [1, 2, 4, 6, 8])
    func everyChunkIsAddedInTheCyclicOrderAndReachesEveryWorker(_ replicaCount: Int) throws {
        for deal in try allDeals(replicaCount) where deal.worldSize > 1 {
            let plan = RingPlan(deal: deal)
            let schedules = (0..<deal.worldSize).map { plan.schedule(of: $0) }
            for chunk in 0..<replicaCount {
                let expected = (1...replicaCount).map { (chunk + $0) % replicaCount }
                var holders: Set<Int> = []
                var value: [Int] = []
                var hop = 1
                while let rank = schedules.firstIndex(where: {
                    $0.sends.contains { $0.hop == hop && $0.chunk == chunk }
                }) {
                    let send = try #require(
                        schedules[rank].sends.first { $0.hop == hop && $0.chunk == chunk })
                    if case .replicas(let own) = send.source {
                        value = own.map { $0 + deal.ranges[rank].lowerBound }
                    }
                    let receiver = (rank + 1) % deal.worldSize
                    let receive = try #require(
                        schedules[receiver].receives.first { $0.hop == hop && $0.chunk == chunk })
                    value += receive.addends.map { $0 + deal.ranges[receiver].lowerBound }
                    if value == expected { holders.insert(receiver) }
                    hop += 1
                }
                #expect(value == expected, "\(deal.ranges), chunk \(chunk)")
                #expect(holders.count == deal.worldSize, "\(deal.ranges), chunk \(chunk)")
            }
        }
    }

    @Test(arguments: [2, 4, 6, 8])
    func bytesOverAllLinksFollowTheFormula(_ replicaCount: Int) throws {
        for deal in try allDeals(replicaCount) where deal.worldSize > 1 {
            let (worldSize, elementCount) = (deal.worldSize, replicaCount * deal.worldSize)
            let sent = (0..<worldSize).map {
                RingPlan(deal: deal).bytesSent(by: $0, elementCount: elementCount)
            }
            let perLink = 4 * (worldSize * (replicaCount - 1) + replicaCount * (worldSize - 1))
            #expect(sent.reduce(0, +) == worldSize * perLink)
        }
    }

    @Test func chunkBordersCoverTheBufferInOrder() {
        for (elementCount, chunkCount) in [(0, 3), (1, 3), (2, 3), (3, 3), (10, 4), (1_000_003, 7)]
        {
            var next = 0
            for chunk in 0..<chunkCount {
                let range = RingPlan.elements(
                    ofChunk: chunk, elementCount: elementCount, chunkCount: chunkCount)
                #expect(range.lowerBound == next)
                #expect(
                    range.count - elementCount / chunkCount
                        == (chunk < elementCount % chunkCount ? 1 : 0))
                next = range.upperBound
            }
            #expect(next == elementCount)
        }
    }

    @Test func aSingleWorkerSendsNothing() {
        let schedule = RingPlan(deal: .equal(replicaCount: 4, worldSize: 1)).schedule(of: 0)
        #expect(schedule.sends.isEmpty && schedule.receives.isEmpty)
    }
}
