// A TCP connection that never blocks by itself: transfers move what they can, and waiting is poll's
// business. Small segments are latency-bound, so Nagle's algorithm is off; a peer that went away
// must not kill the process, so every send carries MSG_NOSIGNAL.

import Glibc
import Synchronization

/// A connected, non-blocking TCP socket.
///
/// One thread transfers and closes; `shutdown()` may come from any thread and makes a waiting poll
/// return. Closing gives the descriptor back exactly once.
package final class Connection: Link, Sendable {
    package let pollDescriptor: Int32
    package let localAddress: SocketAddress
    package let remoteAddress: SocketAddress
    /// Guards the descriptor's number: shutdown must not hit a number that the kernel has given to
    /// another socket after close.
    private let isClosed = Mutex(false)
    /// The same fact for the transferring thread, which is also the one that closes.
    private let isUnusable = Atomic<Bool>(false)

    package var receiveInterest: Poller.Interest { .read }
    package var sendInterest: Poller.Interest { .write }
    package var medium: String { "TCP" }
    package var isMemory: Bool { false }

    /// Takes over an accepted or connected descriptor; closes it when it cannot be set up.
    init(adopting descriptor: Int32) throws(TransportError) {
        do throws(TransportError) {
            try setDescriptorFlags(descriptor, .accept)
            try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1, .accept)
            guard let local = SocketAddress.reported({ getsockname(descriptor, $0, $1) }),
                let remote = SocketAddress.reported({ getpeername(descriptor, $0, $1) })
            else { throw TransportError.closed(.accept, nil) }
            localAddress = local
            remoteAddress = remote
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        pollDescriptor = descriptor
    }

    deinit { close() }

    /// Connects, waiting until `deadline` at most.
    ///
    /// - Parameter source: this side's address; nil is the system's choice.
    package static func connect(
        to address: SocketAddress, from source: SocketAddress? = nil, until deadline: Deadline
    ) throws(TransportError) -> Connection {
        let attempt = try ConnectionAttempt(to: address, from: source)
        var poller = Poller()
        poller.add(attempt.pollDescriptor, .write)
        while true {
            if let connection = try attempt.finish() { return connection }
            guard try poller.wait(until: deadline) > 0 else {
                throw .timedOut(.connect, address)
            }
        }
    }

    /// Bounds the kernel's send buffer, as far as the system's limits allow. A hint: a refusal
    /// changes nothing but speed.
    package func boundSendBuffer(byteCount: Int) {
        guard !isUnusable.load(ordering: .relaxed) else { return }
        try? setOption(
            pollDescriptor, SOL_SOCKET, SO_SNDBUF, Int32(clamping: byteCount), .connect)
    }

    // MARK: - Non-blocking transfers

    package func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        guard !isUnusable.load(ordering: .relaxed) else { return .closed }
        let result: SystemCallResult
        if second.isEmpty || first.isEmpty {
            let only = first.isEmpty ? second : first
            result = systemCall { recv(pollDescriptor, only.baseAddress, only.count, 0) }
        } else {
            var pieces = (
                iovec(iov_base: first.baseAddress, iov_len: first.count),
                iovec(iov_base: second.baseAddress, iov_len: second.count)
            )
            result = withMessage(&pieces) { message in
                systemCall { recvmsg(pollDescriptor, message, 0) }
            }
        }
        return try transferResult(result, .receive)
    }

    package func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        guard !isUnusable.load(ordering: .relaxed) else { return .closed }
        let flags = Int32(MSG_NOSIGNAL)
        let result: SystemCallResult
        if second.isEmpty || first.isEmpty {
            let only = first.isEmpty ? second : first
            result = systemCall { send(pollDescriptor, only.baseAddress, only.count, flags) }
        } else {
            var pieces = (
                iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress),
                    iov_len: first.count),
                iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
                    iov_len: second.count)
            )
            result = withMessage(&pieces) { message in
                systemCall { sendmsg(pollDescriptor, message, flags) }
            }
        }
        return try transferResult(result, .send)
    }

    @inline(__always)
    private func withMessage<Result>(
        _ pieces: inout (iovec, iovec), _ body: (UnsafeMutablePointer<msghdr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &pieces) { pointer in
            pointer.withMemoryRebound(to: iovec.self, capacity: 2) { vectors in
                var message = msghdr()
                message.msg_iov = vectors
                message.msg_iovlen = 2
                return body(&message)
            }
        }
    }

    @inline(__always)
    private func transferResult(
        _ result: SystemCallResult, _ operation: TransportError.Operation
    ) throws(TransportError) -> TransferResult {
        switch result {
        case .success(let count): return count == 0 ? .closed : .transferred(count)
        case .wouldBlock: return .wouldBlock
        case .failure(ECONNRESET), .failure(EPIPE): return .closed
        case .failure(let code): throw .system(operation, remoteAddress, errno: code)
        }
    }

    // MARK: - Waiting transfers

    /// Sends all of `bytes`.
    package func sendAll(
        _ bytes: UnsafeRawBufferPointer, until deadline: Deadline
    ) throws(TransportError) {
        var done = 0
        while done < bytes.count {
            switch try trySend(UnsafeRawBufferPointer(rebasing: bytes[done...])) {
            case .transferred(let count): done += count
            case .closed: throw .closed(.send, remoteAddress)
            case .wouldBlock: try wait(for: .write, .send, until: deadline)
            }
        }
    }

    /// Sends all of `bytes`.
    package func sendAll(_ bytes: [UInt8], until deadline: Deadline) throws(TransportError) {
        let result = bytes.withUnsafeBytes { source in
            Result { () throws(TransportError) in try sendAll(source, until: deadline) }
        }
        try result.get()
    }

    /// Fills `buffer` exactly.
    package func receiveExactly(
        _ buffer: UnsafeMutableRawBufferPointer, until deadline: Deadline
    ) throws(TransportError) {
        var done = 0
        while done < buffer.count {
            switch try tryReceive(UnsafeMutableRawBufferPointer(rebasing: buffer[done...])) {
            case .transferred(let count): done += count
            case .closed: throw .closed(.receive, remoteAddress)
            case .wouldBlock: try wait(for: .read, .receive, until: deadline)
            }
        }
    }

    /// Receives exactly `count` bytes.
    package func receiveExactly(
        _ count: Int, until deadline: Deadline
    ) throws(TransportError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { destination in
            Result { () throws(TransportError) in
                try receiveExactly(destination, until: deadline)
            }
        }
        try result.get()
        return bytes
    }

    private func wait(
        for interest: Poller.Interest, _ operation: TransportError.Operation,
        until deadline: Deadline
    ) throws(TransportError) {
        var poller = Poller()
        poller.add(pollDescriptor, interest)
        guard try poller.wait(until: deadline) > 0 else {
            throw .timedOut(operation, remoteAddress)
        }
    }

    // MARK: - Ending

    /// Ends both directions; the peer and a poll of this side notice at once. From any thread.
    package func shutdown() {
        isClosed.withLock { closed in
            if !closed { _ = Glibc.shutdown(pollDescriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Gives the descriptor back. By the transferring thread; any number of times.
    package func close() {
        isUnusable.store(true, ordering: .relaxed)
        isClosed.withLock { closed in
            // Never retried: Linux frees the descriptor even when close reports EINTR.
            if !closed { Glibc.close(pollDescriptor) }
            closed = true
        }
    }
}
