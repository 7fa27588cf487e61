// Who computes which replica. A step is always the same R replicas; a deal only says which worker
// takes which contiguous part of them, in ring order. It travels in assignments, so a decoded deal
// is checked like any other bytes from outside.

/// A division of the replicas 0..<R into one contiguous, non-empty range per rank.
package struct ReplicaDeal: Hashable, Sendable {
    /// Most replicas that a run may have; a bound on what a peer's deal can make us allocate.
    package static let replicaCountLimit = 1 << 16

    /// By rank: contiguous, in order, together 0..<replicaCount, none empty.
    package let ranges: [Range<Int>]

    /// - Throws: `invalidDeal` when the ranges leave a gap, overlap, are empty or do not start at
    ///   0.
    package init(ranges: [Range<Int>]) throws(WireFormatError) {
        guard !ranges.isEmpty else { throw .invalidDeal("it has no worker") }
        var next = 0
        for (rank, range) in ranges.enumerated() {
            guard range.lowerBound == next else {
                throw .invalidDeal(
                    "the range of rank \(rank) starts at \(range.lowerBound), expected \(next)")
            }
            guard !range.isEmpty else { throw .invalidDeal("the range of rank \(rank) is empty") }
            next = range.upperBound
        }
        guard next <= Self.replicaCountLimit else {
            throw .invalidDeal("\(next) replicas, at most \(Self.replicaCountLimit) are possible")
        }
        self.ranges = ranges
    }

    private init(trusted ranges: [Range<Int>]) {
        self.ranges = ranges
    }

    /// Parts as equal as possible: the first `replicaCount % worldSize` ranks own one more.
    ///
    /// - Precondition: 1 <= worldSize <= replicaCount.
    package static func equal(replicaCount: Int, worldSize: Int) -> ReplicaDeal {
        precondition(
            1 <= worldSize && worldSize <= replicaCount && replicaCount <= replicaCountLimit,
            "cannot deal \(replicaCount) replicas to \(worldSize) workers")
        let (share, remainder) = replicaCount.quotientAndRemainder(dividingBy: worldSize)
        return ReplicaDeal(
            trusted: (0..<worldSize).map { rank in
                let first = rank * share + min(rank, remainder)
                return first..<first + share + (rank < remainder ? 1 : 0)
            })
    }

    package var worldSize: Int { ranges.count }

    package var replicaCount: Int { ranges[ranges.count - 1].upperBound }

    /// The rank that computes `replica`.
    ///
    /// - Precondition: 0 <= replica < replicaCount.
    package func owner(of replica: Int) -> Int {
        guard let rank = ranges.firstIndex(where: { $0.contains(replica) }) else {
            preconditionFailure("replica \(replica) is not one of \(replicaCount)")
        }
        return rank
    }
}

extension ReplicaDeal: Codable {
    private enum CodingKeys: String, CodingKey {
        case replicaCounts
    }

    /// Decodes the number of replicas of each rank: contiguity then needs no checking.
    package init(from decoder: any Decoder) throws {
        let counts = try decoder.container(keyedBy: CodingKeys.self)
            .decode([Int].self, forKey: .replicaCounts)
        var ranges: [Range<Int>] = []
        var next = 0
        for (rank, count) in counts.enumerated() {
            guard 0...Self.replicaCountLimit ~= count else {
                throw WireFormatError.invalidDeal("rank \(rank) owns \(count) replicas")
            }
            let (end, overflow) = next.addingReportingOverflow(count)
            guard !overflow else { throw WireFormatError.invalidDeal("too many replicas") }
            ranges.append(next..<end)
            next = end
        }
        try self.init(ranges: ranges)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ranges.map(\.count), forKey: .replicaCounts)
    }
}
