// What can go wrong between two sockets, as data: what was being done, to whom, and the kernel's
// reason. Only `description` puts the message for people together.

import ExitCodes
import Glibc

/// A failed operation on a socket.
package struct TransportError: ExitCoded, Equatable, Sendable {
    package enum Code: Equatable, Sendable {
        /// The deadline passed.
        case timedOut
        /// No process listens at the address.
        case refused
        /// The peer closed or reset the connection.
        case closed
        /// No route to the address.
        case unreachable
        case addressInUse
        /// Text that is not an address, or a port outside 0...65535.
        case invalidAddress
        /// The name could not be resolved.
        case nameNotFound
        /// This side was shut down by another thread.
        case shutDown
        /// The peer has written something impossible to shared memory.
        case corrupted
        /// Any other failure of a system call.
        case system
    }

    package enum Operation: String, Sendable {
        case bind = "listen on"
        case accept = "accept a connection on"
        case connect = "connect to"
        case send = "send to"
        case receive = "receive from"
        case poll = "wait for sockets"
        case parse = "read the address"
        case resolve = "look up"
        case wake = "create a wake-up pipe"
        case share = "share memory"
    }

    package let code: Code
    package let operation: Operation
    package let address: SocketAddress?
    /// 0 when no system call failed.
    package let errorNumber: Int32
    /// Text that was no address, a name that was not found, or nothing.
    package let detail: String

    package init(
        code: Code, operation: Operation, address: SocketAddress? = nil, errorNumber: Int32 = 0,
        detail: String = ""
    ) {
        self.code = code
        self.operation = operation
        self.address = address
        self.errorNumber = errorNumber
        self.detail = detail
    }

    package static func timedOut(_ operation: Operation, _ address: SocketAddress?) -> Self {
        TransportError(code: .timedOut, operation: operation, address: address)
    }

    package static func closed(_ operation: Operation, _ address: SocketAddress?) -> Self {
        TransportError(code: .closed, operation: operation, address: address)
    }

    /// A usage error for text that is no address; a failure if this machine refuses what it is asked
    /// for (a port in use, no free descriptors); otherwise the peer is lost.
    package var exitCode: ExitCode {
        switch operation {
        case .parse: .usage
        case .bind, .wake: .failed
        case .accept, .connect, .send, .receive, .poll, .resolve, .share:
            code == .invalidAddress ? .usage : .peersLost
        }
    }

    static func system(_ operation: Operation, _ address: SocketAddress?, errno code: Int32) -> Self
    {
        TransportError(
            code: Self.code(for: code), operation: operation, address: address, errorNumber: code)
    }

    private static func code(for errorNumber: Int32) -> Code {
        switch errorNumber {
        case ECONNREFUSED: .refused
        case ECONNRESET, EPIPE, ENOTCONN, ECONNABORTED: .closed
        case ETIMEDOUT: .timedOut
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: .unreachable
        case EADDRINUSE: .addressInUse
        default: .system
        }
    }
}

extension TransportError: CustomStringConvertible {
    package var description: String {
        var subject = operation.rawValue
        if let address { subject += operation == .share ? " with \(address)" : " \(address)" }
        if !detail.isEmpty { subject += " \"\(detail)\"" }
        return "cannot \(subject): \(reason)"
    }

    private var reason: String {
        switch code {
        case .timedOut: "no answer before the deadline"
        case .refused: "connection refused; is the process there running and listening?"
        case .closed: "the other side closed the connection"
        case .unreachable: "\(systemMessage); check the network and the address"
        case .addressInUse: "the port is in use; choose another one, or 0 for any free port"
        case .invalidAddress: "expected HOST:PORT or [IPV6]:PORT with a port from 0 to 65535"
        case .nameNotFound: "no address is known for this name"
        case .shutDown: "this side was shut down"
        case .corrupted: "the positions in the shared memory are impossible"
        case .system: systemMessage
        }
    }

    private var systemMessage: String {
        guard let message = strerror(errorNumber) else { return "error \(errorNumber)" }
        return String(cString: message)
    }
}
