// Deals that follow the members' speed. The result does not depend on the deal, so it may change
// whenever that pays; it pays when the slowest member's part of a step becomes clearly shorter.

import WireFormat

package enum SpeedDeal {
    /// A change must shorten the slowest member's part of a step at least to this share.
    private static let worthwhile = 0.87

    /// The contiguous deal whose slowest member is done first.
    ///
    /// - Parameter secondsPerReplica: by rank.
    /// - Precondition: 1 <= members <= replicas.
    package static func deal(replicaCount: Int, secondsPerReplica: [Double]) -> ReplicaDeal? {
        var counts = [Int](repeating: 1, count: secondsPerReplica.count)
        for _ in counts.count..<max(counts.count, replicaCount) {
            var best = 0
            var bestTime = Double.infinity
            for (rank, seconds) in secondsPerReplica.enumerated() {
                let time = Double(counts[rank] + 1) * seconds
                // Of equal times the first, so that equal speeds give the usual deal.
                if time < bestTime * (1 - 1e-9) {
                    best = rank
                    bestTime = time
                }
            }
            counts[best] += 1
        }
        var start = 0
        let ranges = counts.map { count in
            defer { start += count }
            return start..<start + count
        }
        return try? ReplicaDeal(ranges: ranges)
    }

    /// The time of the slowest member's part of a step.
    package static func seconds(_ deal: ReplicaDeal, _ secondsPerReplica: [Double]) -> Double {
        zip(deal.ranges, secondsPerReplica).map { Double($0.count) * $1 }.max() ?? 0
    }

    /// A deal that is worth a change from `current`; nil when none is.
    package static func better(
        than current: ReplicaDeal, secondsPerReplica: [Double]
    ) -> ReplicaDeal? {
        guard
            let deal = deal(
                replicaCount: current.replicaCount, secondsPerReplica: secondsPerReplica),
            seconds(deal, secondsPerReplica) < worthwhile * seconds(current, secondsPerReplica)
        else { return nil }
        return deal
    }
}
