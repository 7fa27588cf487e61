import Transport

// Where a worker's neighbour on the ring reaches it. A run within one machine must not be reachable
// from outside, so a worker that was given a loopback address of the coordinator listens on
// loopback alone, until an assignment shows that some workers are elsewhere: they reach this one
// under the machine's other addresses. The coordinator knows its port by then, so the port stays
// the same.

/// The data port of one worker. Used by one thread.
package final class DataListener {
    private var listener: Listener
    private let isIPv6: Bool

    /// Takes a port of the system's choice.
    package init(coordinator: SocketAddress) throws {
        isIPv6 = coordinator.isIPv6
        let host =
            coordinator.isLoopback ? (isIPv6 ? "::1" : "127.0.0.1") : (isIPv6 ? "::" : "0.0.0.0")
        listener = try Listener(SocketAddress(host: host, port: 0))
    }

    package var port: Int { listener.localAddress.port }

    /// The listener for a ring of the workers at `addresses`. Neighbours that call in the moment of
    /// a change are refused and call again.
    package func opened(for addresses: [SocketAddress]) throws -> Listener {
        let isReachable = listener.localAddress.isWildcard
        if isReachable || addresses.allSatisfy(\.isLoopback) { return listener }
        let port = port
        listener.close()
        listener = try Listener(SocketAddress(host: isIPv6 ? "::" : "0.0.0.0", port: port))
        return listener
    }

    package func close() { listener.close() }
}
