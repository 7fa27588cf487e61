import CommandLineTool
import Foundation
import Testing
import Transport
import WireFormat

/// Far above what any of this takes.
private let patience = Deadline.after(.seconds(30))

@Suite struct RelayTests {
    private let coordinator: Listener
    private let ring: Listener
    private let relay: Relay

    init() throws {
        coordinator = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        ring = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        let address = coordinator.localAddress
        relay = try Relay(upstream: { address })
        relay.start()
    }

    private static let worker: Int32 = 4242

    /// A worker's connection to the coordinator, and the coordinator's side of it.
    private func join() throws -> (worker: Connection, coordinator: Connection) {
        let worker = try Connection.connect(to: relay.address, until: patience)
        let hello = WorkerMessage.hello(
            WorkerHello(
                productVersion: "1", hostName: "alpha", processID: Self.worker, slot: nil,
                dataPort: ring.localAddress.port, arithmetic: "any", token: nil))
        let frame = try ControlFrame(kind: .message, payload: hello.encoded()).encoded()
        try worker.sendAll(frame, until: patience)
        let accepted = try coordinator.accept(until: patience)
        #expect(try accepted.receiveExactly(frame.count, until: patience) == frame)
        return (worker, accepted)
    }

    /// Whether the other side's end arrives.
    private func ends(_ connection: Connection) throws -> Bool {
        var poller = Poller()
        poller.add(connection.pollDescriptor, .read)
        guard try poller.wait(until: patience) > 0 else { return false }
        var byte: UInt8 = 0
        return withUnsafeMutableBytes(of: &byte) { buffer in
            switch try? connection.tryReceive(buffer) {
            case .closed, nil: true
            default: false
            }
        }
    }

    private func wait(until condition: () -> Bool) throws {
        while !condition() {
            try #require(!patience.hasPassed)
            var poller = Poller()
            try poller.wait(until: .after(.milliseconds(2)))
        }
    }

    @Test func bytesGoBothWays() throws {
        defer { relay.stop() }
        let (worker, server) = try join()
        #expect(server.remoteAddress.host == "127.0.0.2")
        let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let sender = Thread { try? server.sendAll(large, until: patience) }
        sender.start()
        #expect(try worker.receiveExactly(large.count, until: patience) == large)
        try worker.sendAll([1, 2, 3], until: patience)
        #expect(try server.receiveExactly(3, until: patience) == [1, 2, 3])
        worker.close()
        #expect(try ends(server))
    }

    @Test func theRingsPortIsRelayedToo() throws {
        defer { relay.stop() }
        let (worker, server) = try join()
        defer { worker.close() }
        // Where the coordinator believes the worker's ring port to be.
        let apparent = try SocketAddress(
            host: server.remoteAddress.host, port: ring.localAddress.port)
        let neighbour = try Connection.connect(to: apparent, until: patience)
        let accepted = try ring.accept(until: patience)
        try neighbour.sendAll([7], until: patience)
        #expect(try accepted.receiveExactly(1, until: patience) == [7])
        try wait { relay.carries(.ring, of: Self.worker) }
        #expect(relay.carries(.control, of: Self.worker))
        #expect(!relay.carries(.control, of: 1))
        relay.reset(.ring, of: Self.worker)
        #expect(try ends(neighbour) && ends(accepted))
        // The other link is not touched.
        try server.sendAll([9], until: patience)
        #expect(try worker.receiveExactly(1, until: patience) == [9])
    }

    @Test func aResetEndsBothSides() throws {
        defer { relay.stop() }
        let (worker, server) = try join()
        try wait { relay.carries(.control, of: Self.worker) }
        relay.reset(.control, of: Self.worker)
        #expect(try ends(worker) && ends(server))
    }

    @Test func aCutLinkCarriesNothingAndIsResetThen() throws {
        defer { relay.stop() }
        let (worker, server) = try join()
        try wait { relay.carries(.control, of: Self.worker) }
        relay.cut(.control, of: Self.worker, for: .milliseconds(300))
        // The request and the bytes race, but all of them cannot win.
        try worker.sendAll([UInt8](repeating: 1, count: 1 << 20), until: patience)
        #expect(try ends(worker))
        while case .transferred = try received(server) {}
    }

    private func received(_ connection: Connection) throws -> TransferResult {
        var poller = Poller()
        poller.add(connection.pollDescriptor, .read)
        try #require(try poller.wait(until: patience) > 0)
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            (try? connection.tryReceive(buffer)) ?? .closed
        }
    }

    @Test func stoppingClosesEverything() throws {
        let (worker, server) = try join()
        relay.stop()
        #expect(try ends(worker) && ends(server))
    }
}
