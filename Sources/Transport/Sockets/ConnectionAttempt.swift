// A connect that has been started and not yet decided. Apart from Connection, so that a loop which
// waits for other things too (RingConnector accepts while it connects) needs no thread for it.

import Glibc

/// A TCP connect in progress. Used by one thread.
package final class ConnectionAttempt {
    /// Becomes writable when the attempt is decided.
    package let pollDescriptor: Int32
    package let address: SocketAddress
    private var isOwner = true

    /// Starts connecting.
    ///
    /// - Parameter source: this side's address; nil is the system's choice.
    /// - Throws: what the kernel already knows, such as `unreachable`.
    package init(
        to address: SocketAddress, from source: SocketAddress? = nil
    ) throws(TransportError) {
        let descriptor = try openSocket(for: address, .connect)
        self.address = address
        pollDescriptor = descriptor
        if let source {
            let bound = try source.withKernelForm(.bind) { kernelAddress, length in
                Glibc.bind(descriptor, kernelAddress, length) == 0 ? 0 : errno
            }
            guard bound == 0 else { throw .system(.bind, source, errno: bound) }
        }
        let started = try address.withKernelForm(.connect) { kernelAddress, length in
            Glibc.connect(descriptor, kernelAddress, length) == 0 ? 0 : errno
        }
        // EINTR: the connect goes on by itself, like EINPROGRESS.
        guard [0, EINPROGRESS, EINTR].contains(started) else {
            throw .system(.connect, address, errno: started)
        }
    }

    deinit {
        if isOwner { Glibc.close(pollDescriptor) }
    }

    /// The connection when it stands, nil while the attempt is undecided.
    ///
    /// - Precondition: has not returned a connection or thrown before.
    package func finish() throws(TransportError) -> Connection? {
        precondition(isOwner, "the attempt is already decided")
        var poller = Poller()
        poller.add(pollDescriptor, .write)
        guard try poller.wait(until: .after(.zero)) > 0 else { return nil }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try checkedCall(.connect, address) {
            getsockopt(pollDescriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        }
        guard failure == 0 else { throw .system(.connect, address, errno: failure) }
        isOwner = false
        return try Connection(adopting: pollDescriptor)
    }
}
