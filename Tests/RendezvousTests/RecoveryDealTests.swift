// The deal after a loss: always a whole one, never lopsided, and the cheapest of those there are.

import Rendezvous
import Testing
import WireFormat

struct RecoveryDealTests {
    private func cost(_ deal: ReplicaDeal, _ kept: [Set<Int>]) -> Int {
        zip(deal.ranges, kept).reduce(0) { sum, pair in
            sum + pair.0.filter { !pair.1.contains($0) }.count
        }
    }

    /// Every contiguous deal with shares of at most `largest`.
    private func deals(_ replicas: Int, _ members: Int, _ largest: Int) -> [[Range<Int>]] {
        func parts(_ first: Int, _ members: Int) -> [[Range<Int>]] {
            guard members > 1 else {
                let count = replicas - first
                return (1...largest).contains(count) ? [[first..<replicas]] : []
            }
            return (1...largest).filter { first + $0 <= replicas - members + 1 }.flatMap { count in
                parts(first + count, members - 1).map { [first..<first + count] + $0 }
            }
        }
        return parts(0, members)
    }

    @Test func nothingKeptIsDealtOutEqually() {
        for members in 1...5 {
            #expect(
                RecoveryDeal.deal(replicaCount: 7, kept: Array(repeating: [], count: members))
                    == .equal(replicaCount: 7, worldSize: members))
        }
    }

    @Test func survivorsKeepWhatTheyHave() {
        // Four workers with two replicas each; the second is lost.
        let deal = RecoveryDeal.deal(replicaCount: 8, kept: [[0, 1], [4, 5], [6, 7]])
        #expect(cost(deal, [[0, 1], [4, 5], [6, 7]]) == 2)
        #expect(deal.ranges == [0..<3, 3..<6, 6..<8])
        // The same with a newcomer instead of the lost one.
        let whole = RecoveryDeal.deal(replicaCount: 8, kept: [[0, 1], [], [4, 5], [6, 7]])
        #expect(whole.ranges == [0..<2, 2..<4, 4..<6, 6..<8])
    }

    @Test func oneMemberTakesAll() {
        #expect(RecoveryDeal.deal(replicaCount: 5, kept: [[1, 3]]).ranges == [0..<5])
    }

    @Test func noDealOfTheSameEvennessIsCheaper() throws {
        let seed: UInt64 = 77
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            let replicas = Int.random(in: 1...9, using: &generator)
            let members = Int.random(in: 1...min(5, replicas), using: &generator)
            var kept = Array(repeating: Set<Int>(), count: members)
            for replica in 0..<replicas {
                for member in 0..<members where Int.random(in: 0..<3, using: &generator) == 0 {
                    kept[member].insert(replica)
                }
            }
            let deal = RecoveryDeal.deal(replicaCount: replicas, kept: kept)
            let largest = (replicas + members - 1) / members
            #expect(deal.replicaCount == replicas && deal.worldSize == members)
            #expect(deal.ranges.allSatisfy { $0.count <= largest }, "seed \(seed): \(deal)")
            guard kept.contains(where: { !$0.isEmpty }) else { continue }
            let best = try deals(replicas, members, largest).map {
                cost(try ReplicaDeal(ranges: $0), kept)
            }.min()
            #expect(cost(deal, kept) == best, "seed \(seed): \(kept) \(deal.ranges)")
        }
    }

    @Test func keptReplicasThatDoNotExistAreIgnored() {
        let deal = RecoveryDeal.deal(replicaCount: 4, kept: [[99, 1], [-3, 2]])
        #expect(deal.ranges == [0..<2, 2..<4])
    }

    @Test func aRunOfManyReplicasIsDealtOutInTime() {
        let replicas = ReplicaDeal.replicaCountLimit
        let kept = (0..<1024).map { Set([$0 * 64]) }
        #expect(
            RecoveryDeal.deal(replicaCount: replicas, kept: kept)
                == .equal(replicaCount: replicas, worldSize: 1024))
    }
}
