// Peers that close, stall or send something else: a typed error that names the neighbour, never a
// trap, never a wait beyond the deadline, and a group that stays dead.

import Collectives
import Dispatch
import Foundation
import TestSupport
import Testing
import Transport
import WireFormat

func collectiveError<Value>(_ result: Result<Value, any Error>) -> CollectiveError? {
    guard case .failure(let error) = result else { return nil }
    return error as? CollectiveError
}

@Suite struct FailureTests {
    static let pair = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
    static let ones = [[Float]](repeating: [Float](repeating: 1, count: 100), count: 8)

    static func replicas(_ deal: ReplicaDeal) -> [[Float]] { Array(ones.prefix(deal.replicaCount)) }

    @Test(arguments: transports)
    func aClosedNeighbourIsNamedAndTheGroupStaysDead(_ transport: LinkTransport) throws {
        let results = try onRing(Self.pair, transport: transport) { group -> [CollectiveError] in
            if group.rank == 1 { return [] }
            return (7...8).compactMap { step in
                collectiveError(
                    Result {
                        try group.reduced(Self.replicas(Self.pair), step: step, inPlace: false)
                    })
            }
        }
        let errors = try results[0].get()
        #expect(errors.count == 2 && errors[0] == errors[1])
        let error = try #require(errors.first)
        #expect(error.cause == .closed && error.neighbour == 1 && error.step == 7)
        #expect(
            error.description == "rank 0, all-reduce of step 7, bucket 0 (generation 0): "
                + "rank 1 closed its link; see that worker's log for the reason")
    }

    @Test(arguments: transports)
    func everyWorkerHearsOfADeadOne(_ transport: LinkTransport) throws {
        let deal = ReplicaDeal.equal(replicaCount: 5, worldSize: 5)
        let results = try onRing(deal, transport: transport) { group in
            try group.barrier(step: 0)
            if group.rank == 3 { return }
            while true { _ = try group.reduced(Self.replicas(deal), step: 1, inPlace: true) }
        }
        for rank in [0, 1, 2, 4] {
            let error = try #require(collectiveError(results[rank]))
            #expect(error.cause == .closed, "rank \(rank): \(error)")
        }
    }

    @Test(arguments: transports)
    func aStalledNeighbourIsNamedAfterTheTimeout(_ transport: LinkTransport) throws {
        let isOver = DispatchSemaphore(value: 0)
        let results = try onRing(Self.pair, timeout: .milliseconds(40), transport: transport) {
            group in
            if group.rank == 1 {
                isOver.wait()
                return
            }
            defer { isOver.signal() }
            _ = try group.reduced(Self.replicas(Self.pair), step: 3, bucket: 4, inPlace: false)
        }
        let error = try #require(collectiveError(results[0]))
        #expect(error.cause == .stalled(timeout: .milliseconds(40)))
        #expect(error.neighbour == 1)
        #expect(
            error.description == "rank 0, all-reduce of step 3, bucket 4 (generation 0): nothing "
                + "moved for 0.0 s while waiting for rank 1; is that process stopped or its host cut off?"
        )
    }

    @Test(arguments: transports)
    func aNeighbourThatDoesNotReadIsNamed(_ transport: LinkTransport) throws {
        // Three workers, so that the stuck sender's next and previous ranks differ.
        let deal = ReplicaDeal.equal(replicaCount: 3, worldSize: 3)
        let isOver = DispatchSemaphore(value: 0)
        let results = try onRing(deal, timeout: .milliseconds(200), transport: transport) { group in
            if group.rank != 0 {
                isOver.wait()
                return
            }
            defer { for _ in 0..<2 { isOver.signal() } }
            let long = [[Float]](repeating: [Float](repeating: 1, count: 12 << 20), count: 3)
            _ = try group.reduced(long, step: 0, inPlace: true)
        }
        let error = try #require(collectiveError(results[0]))
        #expect(error.cause == .stalled(timeout: .milliseconds(200)))
        #expect(error.neighbour == 1)
    }

    @Test(arguments: transports)
    func shutdownFromAnotherThreadEndsACall(_ transport: LinkTransport) throws {
        let results = try onRing(Self.pair, transport: transport) { group in
            // Each waits for the other's bytes; only the shutdown can end it, and its news reach
            // rank 1.
            var bytes = [UInt8](repeating: 0, count: 8)
            if group.rank == 0 { Thread { group.shutdown() }.start() }
            try bytes.withUnsafeMutableBytes {
                try group.broadcast(step: 9, root: 1 - group.rank, buffer: $0)
            }
        }
        #expect(collectiveError(results[0])?.cause == .shutDown)
        #expect(collectiveError(results[1])?.cause == .closed)
        #expect(collectiveError(results[1])?.neighbour == 0)
    }

    /// Two workers that call with different arguments over links in memory.
    private func disagreement(
        generations: [UInt32] = [0, 0],
        _ call: @escaping @Sendable (ProcessGroup) throws -> Void
    ) throws -> [CollectiveError?] {
        let links = try (0..<2).map {
            try MemoryLink(seed: UInt64($0), capacity: 1 << 20, longestTransfer: 1 << 20)
        }
        return onThreads(2) { rank in
            let group = try ProcessGroup(
                rank: rank, generation: generations[rank], deal: Self.pair,
                previous: links[1 - rank].incoming, next: links[rank].outgoing,
                timeout: .seconds(10), exchangeByteCount: 0, add: plainAdd)
            try call(group)
        }.map { collectiveError($0) }
    }

    private func expect(
        _ errors: [CollectiveError?], _ field: String, _ values: [UInt64],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        // The first to notice ends the link, so the other may see only that.
        let causes = errors.map { $0?.cause }
        let expected = (0..<2).map { rank in
            CollectiveError.Cause.unexpectedFrame(
                field: field, expected: values[rank], got: values[1 - rank])
        }
        let notices = (0..<2).filter { causes[$0] == expected[$0] }
        #expect(!notices.isEmpty, "\(causes)", sourceLocation: sourceLocation)
        for rank in 0..<2 where !notices.contains(rank) {
            #expect(causes[rank] == .closed, sourceLocation: sourceLocation)
        }
    }

    @Test func disagreementsAreNamedByField() throws {
        let two = Self.replicas(Self.pair)
        expect(
            try disagreement { _ = try $0.reduced(two, step: 5 + UInt64($0.rank), inPlace: false) },
            "step", [5, 6])
        expect(
            try disagreement {
                _ = try $0.reduced(two, step: 5, bucket: 8 + UInt32($0.rank), inPlace: true)
            }, "bucket", [8, 9])
        expect(
            try disagreement(generations: [3, 4]) {
                _ = try $0.reduced(two, step: 5, inPlace: false)
            }, "generation", [3, 4])
        expect(
            try disagreement { group in
                let count = 100 - 50 * group.rank
                _ = try group.reduced(
                    two.map { Array($0.prefix(count)) }, step: 5, inPlace: false)
            }, "payload bytes", [200, 100])
        let phases: [FrameHeader.Phase] = [.barrier, .reduce]
        expect(
            try disagreement { group in
                if group.rank == 0 {
                    try group.barrier(step: 5)
                } else {
                    _ = try group.reduced(two, step: 5, inPlace: false)
                }
            }, "phase", phases.map { UInt64($0.rawValue) })
    }

    /// What rank 1 sends to rank 0 in an all-reduce of 100 floats with segments of 40 bytes.
    private func recordedStream() throws -> [UInt8] {
        let links = try (0..<2).map {
            try MemoryLink(seed: UInt64($0), capacity: 1 << 20, longestTransfer: 1000)
        }
        for result in onThreads(
            2,
            { rank in
                let group = try ProcessGroup(
                    rank: rank, generation: 0, deal: Self.pair, previous: links[1 - rank].incoming,
                    next: links[rank].outgoing, timeout: .seconds(10), segmentByteCount: 40,
                    exchangeByteCount: 0, add: plainAdd)
                _ = try group.reduced(Self.replicas(Self.pair), step: 1, inPlace: false)
            })
        { try result.get() }
        return links[1].record
    }

    private func replay(_ stream: [UInt8], seed: UInt64) throws -> Result<[Float], any Error> {
        let group = try ProcessGroup(
            rank: 0, generation: 0, deal: Self.pair,
            previous: try MemoryLink(seed: seed, delivering: stream), next: try SinkLink(),
            timeout: .seconds(10), segmentByteCount: 40, exchangeByteCount: 0,
            add: plainAdd)
        return Result { try group.reduced(Self.replicas(Self.pair), step: 1, inPlace: false) }
    }

    @Test func everyFlippedHeaderBitIsNoticed() throws {
        let stream = try recordedStream()
        #expect(try replay(stream, seed: 0).get() == [Float](repeating: 2, count: 100))
        // Two frames: the first, and one of the gather phase.
        let frameByteCount = FrameHeader.byteCount + 40
        for start in [0, frameByteCount * 7] {
            for bit in 0..<FrameHeader.byteCount * 8 {
                var damaged = stream
                damaged[start + bit / 8] ^= 1 << UInt8(bit % 8)
                let error = try #require(
                    collectiveError(try replay(damaged, seed: UInt64(bit))), "bit \(bit)")
                guard case .malformedFrame = error.cause, error.neighbour == 1 else {
                    Issue.record("bit \(bit) of the frame at \(start): \(error)")
                    continue
                }
            }
        }
    }

    @Test(arguments: 0..<150 as Range<UInt64>)
    func noiseIsATypedError(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var stream = try recordedStream()
        switch seed % 3 {
        case 0:
            stream = (0..<Int.random(in: 0...2000, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
        case 1:
            stream.removeLast(Int.random(in: 1...stream.count, using: &generator))
        default:
            let place = Int.random(in: 0..<stream.count, using: &generator)
            stream.remove(at: place)
        }
        let error = try #require(collectiveError(try replay(stream, seed: seed)), "seed \(seed)")
        #expect(error.neighbour == 1 && error.operation == .allReduce, "seed \(seed)")
    }
}
