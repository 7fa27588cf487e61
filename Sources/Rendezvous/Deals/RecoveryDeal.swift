// Decides which replicas each member computes next, by what the members hold: a deal that lets them
// keep their gradients computes only the lost ones again. The result of the run does not depend on
// the deal, so any choice is right and a good one is fast.

import WireFormat

package enum RecoveryDeal {
    /// Above this much work the search is not worth it and replicas are dealt out equally.
    private static let workLimit = 20_000_000

    /// The contiguous deal with the smallest largest share, and among those the one that computes
    /// the fewest replicas that some member holds or others do.
    ///
    /// - Parameters:
    ///   - kept: by rank, the replicas of the coming step that the member holds.
    /// - Precondition: 1 <= members <= replicas.
    package static func deal(replicaCount: Int, kept: [Set<Int>]) -> ReplicaDeal {
        let memberCount = kept.count
        let equal = ReplicaDeal.equal(replicaCount: replicaCount, worldSize: memberCount)
        let largest = (replicaCount + memberCount - 1) / memberCount
        guard kept.contains(where: { !$0.isEmpty }), memberCount > 1,
            memberCount * replicaCount * largest <= workLimit
        else { return equal }
        return search(replicaCount, kept, largest) ?? equal
    }

    /// cost[m][end]: the fewest replicas that members 0 ... m compute when they share 0 ..< end,
    /// each with 1 to `largest` of them.
    private static func search(
        _ replicaCount: Int, _ kept: [Set<Int>], _ largest: Int
    ) -> ReplicaDeal? {
        let unreachable = Int.max / 2
        var costs = [Int](repeating: unreachable, count: replicaCount + 1)
        costs[0] = 0
        var starts: [[Int]] = []
        for held in kept {
            var next = [Int](repeating: unreachable, count: replicaCount + 1)
            var start = [Int](repeating: 0, count: replicaCount + 1)
            for end in 1...replicaCount {
                var computed = 0
                for first in stride(from: end - 1, through: max(0, end - largest), by: -1) {
                    if !held.contains(first) { computed += 1 }
                    // Strictly less: of equal costs the most even deal from the back is taken.
                    if costs[first] + computed < next[end] {
                        next[end] = costs[first] + computed
                        start[end] = first
                    }
                }
            }
            costs = next
            starts.append(start)
        }
        guard costs[replicaCount] < unreachable else { return nil }
        var ranges: [Range<Int>] = []
        var end = replicaCount
        for start in starts.reversed() {
            ranges.append(start[end]..<end)
            end = start[end]
        }
        return try? ReplicaDeal(ranges: ranges.reversed())
    }
}
