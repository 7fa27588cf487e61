// Joining the ring among strangers, late comers and workers of other runs.

import Collectives
import Dispatch
import Foundation
import TestSupport
import Testing
import Transport
import WireFormat

@Suite struct RingConnectorTests {
    private func handshake(
        generation: UInt32 = 5, rank: UInt32, token: String = "secret", deal: ReplicaDeal
    ) throws -> [UInt8] {
        try FrameHandshake(
            generation: generation, rank: rank, worldSize: UInt32(deal.worldSize),
            segmentByteCount: UInt32(ProcessGroup.defaultSegmentByteCount),
            dealChecksum: FrameHandshake.dealChecksum(deal), token: token
        ).encoded()
    }

    @Test func strangersDoNotDisturb() throws {
        let deal = ReplicaDeal.equal(replicaCount: 3, worldSize: 3)
        let listeners = try (0..<3).map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let deadline = Deadline.after(.seconds(20))
        var strangers: [Connection] = []
        // Before the workers look: silent ones (more than there are places for), web browsers, and
        // handshakes that are almost right.
        let greetings: [[UInt8]] =
            [[UInt8]](repeating: [], count: RingConnector.candidateLimit + 4)
            + [
                Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x52], Array(repeating: 0, count: 4096),
                try handshake(rank: 2, token: "another", deal: deal),
                try handshake(generation: 4, rank: 2, deal: deal),
                try handshake(rank: 1, deal: deal),
                try handshake(rank: 2, deal: .equal(replicaCount: 4, worldSize: 3)),
                Array(try handshake(rank: 2, deal: deal).dropLast()),
            ]
        for greeting in greetings {
            let stranger = try Connection.connect(to: addresses[0], until: deadline)
            try stranger.sendAll(greeting, until: deadline)
            strangers.append(stranger)
        }
        let results = onThreads(3) { rank in
            let group = try RingConnector.connect(
                rank: rank, generation: 5, token: "secret", deal: deal, addresses: addresses,
                listener: listeners[rank], timeout: .seconds(20), deadline: deadline, add: plainAdd)
            try group.barrier(step: 0)
            return try group.reduced([[1], [2], [4]], step: 1, inPlace: false)
        }
        for result in results { #expect(try result.get() == [7]) }
        #expect(strangers.count == greetings.count)
    }

    @Test func aWorkerThatIsNotThereIsNamed() throws {
        let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
        let listener = try Listener(.parse("127.0.0.1:0"))
        let other = try Listener(.parse("127.0.0.1:0"))
        let address = other.localAddress
        other.close()
        let result = Result { () throws(CollectiveError) in
            try RingConnector.connect(
                rank: 0, generation: 2, token: "t", deal: deal,
                addresses: [listener.localAddress, address], listener: listener,
                timeout: .seconds(1), deadline: .after(.milliseconds(80)), add: plainAdd)
        }
        guard case .failure(let error) = result else {
            Issue.record("joined a ring alone")
            return
        }
        #expect(error.neighbour == 1)
        #expect(
            error.description == "rank 0, joining the ring (generation 2): no link to rank 1 at "
                + "\(address): cannot connect to \(address): connection refused; "
                + "is the process there running and listening?")
    }

    @Test func workersOfDifferentRunsDoNotJoin() throws {
        let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
        let listeners = try (0..<2).map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let results = onThreads(2) { rank in
            _ = try RingConnector.connect(
                rank: rank, generation: 0, token: "run \(rank)", deal: deal, addresses: addresses,
                listener: listeners[rank], timeout: .seconds(1),
                deadline: .after(.milliseconds(300)), add: plainAdd)
        }
        for result in results {
            guard case .notConnected = try #require(collectiveError(result)).cause else {
                Issue.record("\(result)")
                continue
            }
        }
    }

    @Test func aLateWorkerIsWaitedFor() throws {
        let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
        let listeners = try (0..<2).map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let results = onThreads(2) { rank in
            if rank == 1 {
                // Turns rank 0 away once, as a worker does that is still in the last generation.
                try listeners[1].accept(until: .after(.seconds(10))).close()
            }
            let group = try RingConnector.connect(
                rank: rank, generation: 0, token: "t", deal: deal, addresses: addresses,
                listener: listeners[rank], timeout: .seconds(10), deadline: .after(.seconds(10)),
                add: plainAdd)
            try group.barrier(step: 0)
        }
        for result in results { #expect(throws: Never.self) { try result.get() } }
    }

    @Test func anInterruptEndsTheWait() throws {
        let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
        let listener = try Listener(.parse("127.0.0.1:0"))
        let interrupt = try WakeSignal()
        Thread { interrupt.signal() }.start()
        let result = onThreads(1) { _ in
            _ = try RingConnector.connect(
                rank: 0, generation: 0, token: "t", deal: deal,
                addresses: [listener.localAddress, listener.localAddress], listener: listener,
                timeout: .seconds(1), deadline: .after(.seconds(20)), interrupt: interrupt,
                add: plainAdd)
        }[0]
        #expect(collectiveError(result)?.cause == .shutDown)
    }

    @Test func aSingleWorkerNeedsNoLinks() throws {
        let listener = try Listener(.parse("127.0.0.1:0"))
        let group = try RingConnector.connect(
            rank: 0, generation: 0, token: "t", deal: .equal(replicaCount: 3, worldSize: 1),
            addresses: [listener.localAddress], listener: listener, timeout: .seconds(1),
            deadline: .after(.seconds(1)), add: plainAdd)
        try group.barrier(step: 0)
        #expect(try group.reduced([[1], [2], [4]], step: 1, inPlace: true) == [7])
        #expect(group.payloadBytesSent == 0)
        group.shutdown()
        #expect(throws: CollectiveError.self) { try group.barrier(step: 2) }
    }
}
