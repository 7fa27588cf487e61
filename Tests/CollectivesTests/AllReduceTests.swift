// The all-reduce over the grid of worker counts, replica counts, deals and lengths.

import Collectives
import Testing
import WireFormat

/// A deal and the segment size to run it with.
struct RingCase: CustomTestStringConvertible, Sendable {
    let counts: [Int]
    let segmentByteCount: Int

    var deal: ReplicaDeal {
        get throws {
            var next = 0
            return try ReplicaDeal(
                ranges: counts.map { count in
                    defer { next += count }
                    return next..<next + count
                })
        }
    }

    var testDescription: String { "replicas by rank \(counts), segments of \(segmentByteCount)" }

    /// N = 1...8, R = N...8 in equal parts; small and odd segments so that every path is reached.
    static let equalDeals: [RingCase] = (1...8).flatMap { worldSize in
        (worldSize...8).map { replicaCount in
            RingCase(
                counts: ReplicaDeal.equal(replicaCount: replicaCount, worldSize: worldSize).ranges
                    .map(\.count),
                segmentByteCount: [64, 1 << 18, 100][(worldSize + replicaCount) % 3])
        }
    }

    static let unequalDeals: [RingCase] = [
        [1, 3], [3, 1], [1, 7], [7, 1], [2, 1, 1], [1, 1, 2], [1, 2, 1], [5, 1, 2], [1, 6, 1],
        [1, 1, 1, 5], [3, 1, 3, 1], [2, 1, 2, 1, 2], [1, 1, 1, 1, 1, 1, 2],
    ].map { RingCase(counts: $0, segmentByteCount: 48) }
}

@Suite struct AllReduceTests {
    @Test(arguments: RingCase.equalDeals + RingCase.unequalDeals, transports)
    func everyLengthGivesTheBitsOfTheSequentialSum(
        _ ringCase: RingCase, _ transport: LinkTransport
    ) throws {
        let deal = try ringCase.deal
        let replicaCount = deal.replicaCount
        let lengths = [
            0, 1, replicaCount - 1, replicaCount, replicaCount + 1, 509, 64 * replicaCount,
        ]
        let seed: UInt64 = 20_251
        // Twice each on one group: in place and not, whole numbers and random floats.
        let rounds = lengths.flatMap { length in
            [(length, true, false), (length, false, true), (length, false, false)]
        }
        let cases = rounds.map { length, wholeNumbers, inPlace in
            let replicas = (0..<replicaCount).map {
                replicaBuffer($0, elementCount: length, seed: seed, wholeNumbers: wholeNumbers)
            }
            return (replicas: replicas, expected: sequentialSum(replicas), inPlace: inPlace)
        }
        // Round the ring; exchanged whole; and one or the other by length.
        for exchangeByteCount in [0, ProcessGroup.defaultExchangeByteCount, 509 * replicaCount * 4]
        {
            let results = try onRing(
                deal, segmentByteCount: ringCase.segmentByteCount,
                exchangeByteCount: exchangeByteCount, transport: transport
            ) { group in
                try cases.enumerated().map { step, ring in
                    try group.reduced(
                        ring.replicas, step: UInt64(step), bucket: 3, inPlace: ring.inPlace)
                }
            }
            for (rank, result) in results.enumerated() {
                for (output, ring) in zip(try result.get(), cases) {
                    #expect(
                        bits(output) == bits(ring.expected),
                        """
                        rank \(rank), length \(output.count), in place \(ring.inPlace), seed \(seed), \
                        exchange up to \(exchangeByteCount)
                        """)
                }
            }
        }
        for ring in cases where ring.replicas[0] == ring.replicas[0].map({ $0.rounded() }) {
            for (index, value) in ring.expected.enumerated() {
                #expect(value == ring.replicas.reduce(0) { $0 + $1[index] })
            }
        }
    }

    @Test(
        arguments: [
            [4], [1, 1], [2, 2], [3, 1], [1, 2, 1], [2, 2, 2, 2], [1, 1, 1, 1, 1],
            [1, 1, 1, 2, 1, 2],
            [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1],
        ], transports)
    func aLongBufferIsExact(_ counts: [Int], _ transport: LinkTransport) throws {
        let deal = try RingCase(counts: counts, segmentByteCount: 0).deal
        let seed: UInt64 = 77
        let replicas = (0..<deal.replicaCount).map {
            replicaBuffer($0, elementCount: 1_000_003, seed: seed, wholeNumbers: false)
        }
        let expected = bits(sequentialSum(replicas))
        let results = try onRing(deal, transport: transport) { group in
            try [true, false].enumerated().map { step, inPlace in
                bits(try group.reduced(replicas, step: UInt64(step), inPlace: inPlace))
            }
        }
        for (rank, result) in results.enumerated() {
            for output in try result.get() {
                #expect(output == expected, "rank \(rank), seed \(seed)")
            }
        }
    }

    /// S x [(R-1)/R + (N-1)/N] per link: on every link when all own equally many replicas, else on
    /// average.
    @Test(arguments: RingCase.equalDeals + RingCase.unequalDeals, transports)
    func bytesSentFollowTheFormula(_ ringCase: RingCase, _ transport: LinkTransport) throws {
        let deal = try ringCase.deal
        let (worldSize, replicaCount) = (deal.worldSize, deal.replicaCount)
        guard worldSize > 1 else { return }
        let elementCount = replicaCount * worldSize * 3
        let replicas = [[Float]](
            repeating: [Float](repeating: 1, count: elementCount), count: replicaCount)
        let sent = try onRing(
            deal, segmentByteCount: ringCase.segmentByteCount, transport: transport
        ) { group in
            _ = try group.reduced(replicas, step: 0, inPlace: false)
            return Int(group.payloadBytesSent)
        }.map { try $0.get() }
        let byteCount = elementCount * 4
        let perLink =
            byteCount / replicaCount * (replicaCount - 1) + byteCount / worldSize * (worldSize - 1)
        #expect(sent.reduce(0, +) == perLink * worldSize)
        if replicaCount % worldSize == 0, Set(ringCase.counts).count == 1 {
            #expect(sent == Array(repeating: perLink, count: worldSize))
        }
        let plan = RingPlan(deal: deal)
        #expect(sent == (0..<worldSize).map { plan.bytesSent(by: $0, elementCount: elementCount) })
    }
}
