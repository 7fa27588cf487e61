// Encryption can be put in where links are made: all that two processes of a run send to each other
// goes through the links of their factory.

import ExitCodes
import Collectives
import Foundation
import Rendezvous
import Testing
import Transport
import WireFormat

@Suite struct WrappedLinkTests {
    private static let links = ScramblingLinks(key: 0x5A)

    private func coordinator() throws -> CoordinatorHarness {
        var settings = CoordinatorHarness.settings(workerCount: 1)
        settings.links = Self.links
        return try CoordinatorHarness(settings)
    }

    private func join(
        _ harness: CoordinatorHarness, _ links: any LinkFactory
    ) throws -> WorkerSession {
        try WorkerSession.join(
            coordinator: harness.address, hello: hello(1), links: links,
            deadline: .after(patience))
    }

    @Test func aRunSpeaksThroughTheLinksOfItsFactory() throws {
        let harness = try coordinator()
        let session = try join(harness, Self.links)
        try session.send(.prepared)
        let assignment = try session.awaitAssignment(deadline: .after(patience))
        try session.send(.ready(ReadyReport(generation: 1, step: 0, weightsDigest: "a")))
        // Larger than any queue on the way, so that both sides have to wait for each other.
        let weights = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try session.sendCheckpoint(step: 3, isFinal: true, files: [("weights", weights)])
        #expect(harness.delegate.wait { $0.checkpoints.first?.files.first?.bytes == weights })
        let status = try StatusClient.ask(
            harness.address, links: Self.links, deadline: .after(patience))
        #expect(status.workers.map(\.pid) == [101])
        try session.send(.finished(report()))
        try session.awaitEnd(deadline: .after(patience))
        #expect(assignment.worldSize == 1)
        #expect(try harness.outcome() == .finished(report()))
    }

    @Test(arguments: [true, false])
    func linksOfAnotherKindAreKeptOut(isPlain: Bool) throws {
        let harness = try coordinator()
        #expect(throws: RendezvousError.self) {
            _ = try join(harness, isPlain ? PlainLinks() : ScramblingLinks(key: 0x11))
        }
        #expect(throws: RendezvousError.self) {
            _ = try StatusClient.ask(harness.address, deadline: .after(patience))
        }
        // A worker of the run is still let in.
        let session = try join(harness, Self.links)
        harness.service.requestAbort(exitCode: .failed, reason: "enough")
        #expect(session.awaitLoss()?.message == "enough")
        #expect(try harness.outcome() == .failed(exitCode: .failed, message: "enough"))
    }

    @Test(arguments: [LinkTransport.tcp, .shm])
    func aRingAddsThroughTheLinksOfItsFactory(transport: LinkTransport) throws {
        let deal = ReplicaDeal.equal(replicaCount: 4, worldSize: 3)
        let listeners = try (0..<3).map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let count = 300_001
        let ranks = (0..<3).map { rank in
            Background {
                let group = try RingConnector.connect(
                    rank: rank, generation: 1, token: "t", deal: deal, addresses: addresses,
                    listener: listeners[rank], timeout: patience, deadline: .after(patience),
                    transport: transport, links: Self.links
                ) { sum, first, second, count in
                    for index in 0..<count { sum[index] = first[index] + second[index] }
                }
                defer { group.close() }
                // Whole numbers, so that the sum is exact in any order.
                let inputs = deal.ranges[rank].map { replica in
                    (0..<count).map { Float(($0 &* (replica + 3)) % 1000) }
                }
                var output = [Float](repeating: 0, count: count)
                for step in 0..<3 {
                    try Self.allReduce(group, UInt64(step), inputs, &output)
                }
                return (output, group.medium)
            }
        }
        let expected = (0..<count).map { index in
            (0..<4).reduce(Float(0)) { $0 + Float((index &* ($1 + 3)) % 1000) }
        }
        for rank in ranks {
            let (sum, medium) = try rank.value()
            #expect(sum == expected)
            #expect(medium == (transport == .tcp ? "scrambled TCP" : "shared memory"))
        }
    }

    private static func allReduce(
        _ group: ProcessGroup, _ step: UInt64, _ inputs: [[Float]], _ output: inout [Float]
    ) throws {
        let buffers = inputs.map { input in
            let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: input.count)
            _ = buffer.initialize(from: input)
            return buffer
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        try output.withUnsafeMutableBufferPointer { result in
            try group.allReduce(
                step: step, bucket: 0,
                inputs: buffers.compactMap { $0.baseAddress.map { UnsafePointer($0) } },
                output: #require(result.baseAddress), elementCount: result.count)
        }
    }
}
