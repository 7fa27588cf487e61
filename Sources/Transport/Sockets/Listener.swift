// A listening TCP socket. The port may be the system's choice (0), so that several runs on one host
// never collide; `localAddress` then has it.

import Glibc
import Synchronization

/// Accepts TCP connections. Used by one thread at a time.
package final class Listener: Sendable {
    /// Becomes readable when a connection waits.
    package let pollDescriptor: Int32
    /// The bound address with the real port.
    package let localAddress: SocketAddress
    private let isClosed = Atomic<Bool>(false)

    /// - Parameters:
    ///   - address: where to listen; port 0 takes a free one.
    ///   - backlog: connections that the kernel holds before `accept`; more are turned away.
    /// - Throws: `addressInUse` and the kernel's other reasons.
    package init(_ address: SocketAddress, backlog: Int = 128) throws(TransportError) {
        let descriptor = try openSocket(for: address, .bind)
        do throws(TransportError) {
            // A restarted coordinator must get its port back while old connections linger.
            try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1, .bind)
            let bound = try address.withKernelForm(.bind) { kernelAddress, length in
                systemCall { Int(Glibc.bind(descriptor, kernelAddress, length)) }
            }
            if case .failure(let code) = bound {
                throw TransportError.system(.bind, address, errno: code)
            }
            try checkedCall(.bind, address) { listen(descriptor, Int32(backlog)) }
            guard let local = SocketAddress.reported({ getsockname(descriptor, $0, $1) }) else {
                throw TransportError(code: .system, operation: .bind, address: address)
            }
            localAddress = local
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        pollDescriptor = descriptor
    }

    deinit { close() }

    /// The next waiting connection, or nil when there is none.
    package func tryAccept() throws(TransportError) -> Connection? {
        guard !isClosed.load(ordering: .relaxed) else {
            throw TransportError(code: .shutDown, operation: .accept, address: localAddress)
        }
        switch systemCall({ Int(Glibc.accept(pollDescriptor, nil, nil)) }) {
        case .success(let descriptor):
            return try? Connection(adopting: Int32(descriptor))
        case .wouldBlock:
            return nil
        case .failure(let code):
            // The peer gave up between its request and our accept: not this listener's trouble.
            if code == ECONNABORTED || code == EPROTO { return nil }
            throw .system(.accept, localAddress, errno: code)
        }
    }

    /// Waits for a connection.
    package func accept(until deadline: Deadline) throws(TransportError) -> Connection {
        var poller = Poller()
        poller.add(pollDescriptor, .read)
        while true {
            if let connection = try tryAccept() { return connection }
            guard try poller.wait(until: deadline) > 0 else {
                throw .timedOut(.accept, localAddress)
            }
        }
    }

    /// Frees the port. By the thread that uses the listener; any number of times.
    package func close() {
        if !isClosed.exchange(true, ordering: .relaxed) {
            Glibc.close(pollDescriptor)
        }
    }
}
