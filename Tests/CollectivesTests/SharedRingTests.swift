// What is peculiar to rings through shared memory: which links share, and floats at odd addresses.
// That they compute the same as others is in the tests of the collectives, which run over both.

import Collectives
import TestSupport
import Testing
import Transport
import WireFormat

@Suite struct SharedRingTests {
    /// A ring whose ranks want different things, which a configuration cannot say.
    private func media(_ transports: [LinkTransport]) throws -> [Result<String?, any Error>] {
        let deal = ReplicaDeal.equal(
            replicaCount: transports.count, worldSize: transports.count)
        let listeners = try transports.map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let replicas = transports.indices.map {
            replicaBuffer($0, elementCount: 70_001, seed: 5, wholeNumbers: false)
        }
        let expected = bits(sequentialSum(replicas))
        return onThreads(transports.count) { rank in
            let group = try RingConnector.connect(
                rank: rank, generation: 0, token: "t", deal: deal, addresses: addresses,
                listener: listeners[rank], timeout: .seconds(10),
                deadline: .after(transports.contains(.shm) ? .milliseconds(300) : .seconds(10)),
                transport: transports[rank], add: plainAdd)
            defer { group.close() }
            #expect(bits(try group.reduced(replicas, step: 0, inPlace: false)) == expected)
            return group.medium
        }
    }

    @Test func eachLinkTakesWhatItsEndsCan() throws {
        #expect(
            try media([.auto, .auto]).map { try $0.get() } == ["shared memory", "shared memory"])
        #expect(try media([.tcp, .tcp]).map { try $0.get() } == ["TCP", "TCP"])
        // Rank 1 neither takes nor offers; ranks 2 and 0 share all the same.
        #expect(
            try media([.auto, .tcp, .auto]).map { try $0.get() } == ["TCP", "TCP", "shared memory"])
    }

    @Test func aRingThatMustShareSaysWhyItDoesNotStand() throws {
        for result in try media([.shm, .tcp]).prefix(1) {
            let error = try #require(collectiveError(result))
            #expect(
                error.description.contains("the two workers cannot share memory"), "\(error)")
        }
    }

    /// A broadcast of an odd number of bytes leaves the ring's position odd; pieces of a float may
    /// lie apart then, and every position in the ring is met.
    @Test func floatsMayLieAnywhere() throws {
        let deal = ReplicaDeal.equal(replicaCount: 3, worldSize: 2)
        let replicas = (0..<3).map {
            replicaBuffer($0, elementCount: 90_001, seed: 11, wholeNumbers: false)
        }
        let expected = bits(sequentialSum(replicas))
        let results = try onRing(deal, segmentByteCount: 4096, transport: .shm) { group in
            try (0..<24).map { step in
                var bytes = [UInt8](repeating: UInt8(group.rank), count: 1 + step * 7)
                try bytes.withUnsafeMutableBytes {
                    try group.broadcast(step: UInt64(step), root: step % 2, buffer: $0)
                }
                let isRoots = bytes.allSatisfy { $0 == UInt8(step % 2) }
                return isRoots
                    ? bits(try group.reduced(replicas, step: UInt64(step), inPlace: step % 3 == 0))
                    : []
            }
        }
        for result in results {
            for output in try result.get() { #expect(output == expected) }
        }
    }
}
