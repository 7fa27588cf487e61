// Two connections whose bytes go from one to the other, both ways. Nothing here waits.

import RunProcesses
import Glibc
import Transport

/// Bytes on their way in one direction.
private struct RelayPipe {
    private static let capacity = 256 * 1024
    private var bytes = [UInt8](repeating: 0, count: capacity)
    private var start = 0
    private var end = 0

    var isEmpty: Bool { start == end }
    var isFull: Bool { end == Self.capacity && start == 0 }

    /// Receives once and passes the bytes to `look`. Returns false if the other side has closed.
    mutating func receive(
        from connection: Connection, look: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        if start > 0 {
            bytes.withUnsafeMutableBytes { memory in
                memory.copyBytes(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            }
            end -= start
            start = 0
        }
        guard end < Self.capacity else { return true }
        let from = end
        return bytes.withUnsafeMutableBytes { memory in
            let free = UnsafeMutableRawBufferPointer(rebasing: memory[from...])
            switch try? connection.tryReceive(free) {
            case .transferred(let count):
                look(UnsafeRawBufferPointer(rebasing: free[..<count]))
                end = from + count
                return true
            case .wouldBlock: return true
            case .closed, nil: return false
            }
        }
    }

    /// Sends what the socket takes. Returns false if the other side has closed.
    mutating func send(to connection: Connection) -> Bool {
        while start < end {
            let result = bytes.withUnsafeBytes { memory in
                try? connection.trySend(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            }
            switch result {
            case .transferred(let count): start += count
            case .wouldBlock: return true
            case .closed, nil: return false
            }
        }
        start = 0
        end = 0
        return true
    }
}

/// A relayed connection. Used by the relay's thread.
final class RelayPair {
    let link: Relay.Link
    let client: Connection
    let server: Connection
    /// The worker; nil until it has introduced itself.
    var worker: Int32?
    /// Until then nothing is carried; then the link is reset.
    var cutUntil: ContinuousClock.Instant?
    private var toServer = RelayPipe()
    private var toClient = RelayPipe()

    init(_ link: Relay.Link, client: Connection, server: Connection, worker: Int32?) {
        self.link = link
        self.client = client
        self.server = server
        self.worker = worker
    }

    var clientInterest: Poller.Interest {
        var interest: Poller.Interest = toServer.isFull ? [] : .read
        if !toClient.isEmpty { interest.insert(.write) }
        return interest
    }

    var serverInterest: Poller.Interest {
        var interest: Poller.Interest = toClient.isFull ? [] : .read
        if !toServer.isEmpty { interest.insert(.write) }
        return interest
    }

    /// Carries what can be carried. Returns false if one side has closed; what it had sent before
    /// was passed on as far as the other side takes it.
    func carry(look: (UnsafeRawBufferPointer) -> Void) -> Bool {
        let clientLives = toServer.receive(from: client, look: look)
        let serverLives = toClient.receive(from: server) { _ in }
        let serverTakes = toServer.send(to: server)
        let clientTakes = toClient.send(to: client)
        return clientLives && serverLives && serverTakes && clientTakes
    }

    func close() {
        client.close()
        server.close()
    }

    /// Closes so that both sides find their connection reset.
    func reset() {
        for connection in [client, server] {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                connection.pollDescriptor, SOL_SOCKET, SO_LINGER, &option,
                socklen_t(MemoryLayout<linger>.size))
        }
        close()
    }
}
