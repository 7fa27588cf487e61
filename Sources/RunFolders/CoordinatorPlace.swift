// coordinator.json: where the coordinator of a run that is under way listens, so that whoever has
// the run's folder can ask how it goes. Removed at the end; what a killed coordinator has left is
// found out by asking.

import Checkpoints
import Foundation
import Transport

/// Where a run's coordinator is.
package struct CoordinatorPlace: Codable, Equatable, Sendable {
    /// "host:port", as it listens.
    package var address: String
    package var host: String
    package var pid: Int32

    package init(address: SocketAddress) {
        self.address = address.description
        host = ProcessInfo.processInfo.hostName
        pid = ProcessInfo.processInfo.processIdentifier
    }

    /// What the folder says; nil when nothing runs in it.
    package init?(in folder: RunFolder) {
        guard let bytes = FileManager.default.contents(atPath: folder.coordinatorPath),
            let read = try? JSONDecoder().decode(Self.self, from: bytes)
        else { return nil }
        self = read
    }

    /// The address to connect to.
    ///
    /// - Throws: `TransportError` when the file holds none.
    package func reachable() throws -> SocketAddress {
        let listening = try SocketAddress.parse(address)
        guard listening.isWildcard else { return listening }
        let isHere = host == ProcessInfo.processInfo.hostName
        if isHere {
            return try SocketAddress(
                host: listening.isIPv6 ? "::1" : "127.0.0.1", port: listening.port)
        }
        guard let resolved = try SocketAddress.resolve(host: host, port: listening.port).first
        else { return listening }
        return resolved
    }

    package func write(in folder: RunFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(
            try encoder.encode(self) + [UInt8(ascii: "\n")], to: folder.coordinatorPath)
    }

    package static func remove(in folder: RunFolder) {
        try? FileManager.default.removeItem(atPath: folder.coordinatorPath)
    }
}
