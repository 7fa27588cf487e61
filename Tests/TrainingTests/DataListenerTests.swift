// A worker's data port: closed to other machines while the run is within one, open to them else.

import Foundation
import Glibc
import Testing
import Training
import Transport

@Suite struct DataListenerTests {
    private let loopback = "127.0.0.1"

    private func address(_ host: String, _ port: Int = 1) throws -> SocketAddress {
        try SocketAddress(host: host, port: port)
    }

    @Test func aRunWithinOneMachineStaysOnLoopback() throws {
        let data = try DataListener(coordinator: try address(loopback))
        defer { data.close() }
        let port = data.port
        let listener = try data.opened(for: [try address(loopback), try address("127.0.1.1")])
        #expect(listener.localAddress == (try address(loopback, port)))
    }

    @Test func aNeighbourElsewhereReachesThePortThatWasTold() throws {
        let data = try DataListener(coordinator: try address(loopback))
        defer { data.close() }
        let port = data.port
        let listener = try data.opened(for: [try address(loopback), try address("192.0.2.77")])
        #expect(listener.localAddress == (try address("0.0.0.0", port)))
        let caller = try Connection.connect(
            to: try address(ownAddress() ?? loopback, port), until: .after(patience))
        let called = try listener.accept(until: .after(patience))
        #expect(called.remoteAddress == caller.localAddress)
        caller.close()
        called.close()
    }

    @Test func aWorkerOfACoordinatorElsewhereListensOnAllAddresses() throws {
        let data = try DataListener(coordinator: try address("192.0.2.77"))
        defer { data.close() }
        #expect(try data.opened(for: [try address(loopback)]).localAddress.isWildcard)
    }

    /// One of this machine's IPv4 addresses beside loopback; a machine without a network has none.
    private func ownAddress() -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var entry = list
        while let current = entry {
            entry = current.pointee.ifa_next
            guard let address = current.pointee.ifa_addr, address.pointee.sa_family == AF_INET
            else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = getnameinfo(
                address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            let host = String(
                decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if code == 0, !host.hasPrefix("127.") { return host }
        }
        return nil
    }
}
