// Which address of a peer each worker is given.

import Rendezvous
import Testing
import Transport

struct RingAddressesTests {
    private func endpoint(_ remote: String, _ local: String, _ port: Int) throws -> WorkerEndpoint {
        WorkerEndpoint(
            remoteAddress: try SocketAddress(host: remote, port: 50_000),
            localAddress: try SocketAddress(host: local, port: 9_000), dataPort: port)
    }

    @Test func aLoopbackPeerIsSeenAtTheCoordinatorsHost() throws {
        let here = try endpoint("127.0.0.1", "127.0.0.1", 4000)
        let there = try endpoint("10.0.0.7", "10.0.0.1", 4001)
        let elsewhere = try endpoint("fd00::7", "fd00::1", 4002)
        let all = [here, there, elsewhere]
        func addresses(_ receiver: WorkerEndpoint) -> [String] {
            RingAddresses.addresses(of: all, seenFrom: receiver).map(\.description)
        }
        #expect(addresses(here) == ["127.0.0.1:4000", "10.0.0.7:4001", "[fd00::7]:4002"])
        #expect(addresses(there) == ["10.0.0.1:4000", "10.0.0.7:4001", "[fd00::7]:4002"])
        #expect(addresses(elsewhere) == ["[fd00::1]:4000", "10.0.0.7:4001", "[fd00::7]:4002"])
    }
}
