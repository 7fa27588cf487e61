// All-gather, broadcast, barrier, and the all-reduce over links that split every frame.

import Collectives
import Synchronization
import TestSupport
import Testing
import WireFormat

@Suite struct OtherCollectivesTests {
    @Test(arguments: 1...8, transports)
    func allGatherTakesUnequalParts(
        _ worldSize: Int, _ transport: LinkTransport
    ) throws {
        let deal = ReplicaDeal.equal(replicaCount: worldSize, worldSize: worldSize)
        let shapes = [
            (0..<worldSize).map { ($0 * 37) % 101 }, (0..<worldSize).map { $0 == 1 ? 1000 : 0 },
            [Int](repeating: 0, count: worldSize), [Int](repeating: 5000, count: worldSize),
        ]
        let results = try onRing(deal, segmentByteCount: 64, transport: transport) { group in
            try shapes.enumerated().map { step, byteCounts in
                let own = [UInt8](
                    repeating: UInt8(10 * step + group.rank), count: byteCounts[group.rank])
                var output = [UInt8](repeating: 255, count: byteCounts.reduce(0, +))
                try own.withUnsafeBytes { contribution in
                    try output.withUnsafeMutableBytes { output in
                        try group.allGather(
                            step: UInt64(step), contribution: contribution, byteCounts: byteCounts,
                            output: output)
                    }
                }
                return output
            }
        }
        for result in results {
            for (step, output) in try result.get().enumerated() {
                let expected = shapes[step].enumerated().flatMap { rank, count in
                    [UInt8](repeating: UInt8(10 * step + rank), count: count)
                }
                #expect(output == expected, "\(worldSize) workers, parts \(shapes[step])")
            }
        }
    }

    @Test(arguments: 1...8, transports)
    func broadcastWorksFromEveryRoot(
        _ worldSize: Int, _ transport: LinkTransport
    ) throws {
        let deal = ReplicaDeal.equal(replicaCount: worldSize, worldSize: worldSize)
        let results = try onRing(deal, segmentByteCount: 100, transport: transport) { group in
            try (0..<worldSize).flatMap { root in
                try [0, 1, 99, 100, 101, 5003].map { byteCount in
                    var buffer = (0..<byteCount).map {
                        group.rank == root ? UInt8(truncatingIfNeeded: $0 &* 7 &+ root) : 0
                    }
                    try buffer.withUnsafeMutableBytes {
                        try group.broadcast(step: 1, root: root, buffer: $0)
                    }
                    return buffer
                }
            }
        }
        let first = try results[0].get()
        #expect(first[5] == (0..<5003).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        for result in results { #expect(try result.get() == first) }
    }

    @Test(arguments: 1...8, transports)
    func noRankLeavesABarrierBeforeAllHaveEntered(
        _ worldSize: Int, _ transport: LinkTransport
    ) throws {
        let deal = ReplicaDeal.equal(replicaCount: worldSize, worldSize: worldSize)
        let entered = Box(Atomics(count: 20))
        let results = try onRing(deal, transport: transport) { group in
            try (0..<20).map { round in
                entered.value.add(round)
                try group.barrier(step: UInt64(round))
                return entered.value.count(round)
            }
        }
        for result in results {
            #expect(try result.get().allSatisfy { $0 == worldSize })
        }
    }

    @Test(arguments: [[1, 1], [2, 2], [1, 3], [1, 1, 1], [2, 1, 3], [1, 1, 1, 1, 1]])
    func anySplitOfTheFramesGivesTheSameBits(_ counts: [Int]) throws {
        let deal = try RingCase(counts: counts, segmentByteCount: 0).deal
        let worldSize = deal.worldSize
        for seed in 1...6 as ClosedRange<UInt64> {
            let replicas = (0..<deal.replicaCount).map {
                replicaBuffer($0, elementCount: 307, seed: seed, wholeNumbers: false)
            }
            let expected = bits(sequentialSum(replicas))
            let links = try (0..<worldSize).map { rank in
                try MemoryLink(
                    seed: seed * 100 + UInt64(rank), capacity: [40, 500, 100_000][Int(seed) % 3],
                    longestTransfer: [3, 60, 1000][Int(seed) / 3])
            }
            let results = onThreads(worldSize) { rank in
                let group = try ProcessGroup(
                    rank: rank, generation: 9, deal: deal,
                    previous: links[(rank + worldSize - 1) % worldSize].incoming,
                    next: links[rank].outgoing, timeout: .seconds(10),
                    segmentByteCount: [4, 20, 4096][Int(seed) % 3],
                    exchangeByteCount: seed == 6 ? 1 << 20 : 0, add: plainAdd)
                let outputs = try [true, false].map {
                    bits(try group.reduced(replicas, step: seed, inPlace: $0))
                }
                try group.barrier(step: seed)
                return outputs
            }
            for (rank, result) in results.enumerated() {
                for output in try result.get() {
                    #expect(output == expected, "rank \(rank) of \(counts), seed \(seed)")
                }
            }
        }
    }
}

/// Counters that all ranks' threads share.
final class Atomics: Sendable {
    private let counts: Mutex<[Int]>

    init(count: Int) { counts = Mutex(Array(repeating: 0, count: count)) }

    func add(_ index: Int) { counts.withLock { $0[index] += 1 } }
    func count(_ index: Int) -> Int { counts.withLock { $0[index] } }
}
