// A link that wraps a connection as one that encrypts would: it shakes hands in the first
// transfers, then carries records of its own, whose bytes are changed by a key for each direction.
// It keeps what a record holds beyond what was asked for, and takes bytes only when their whole
// record has left.

import Transport

/// Makes scrambling links; only links of one key understand each other.
struct ScramblingLinks: LinkFactory {
    let key: UInt8

    func open(_ connection: Connection, as role: LinkRole) -> any Link {
        ScramblingLink(connection, role, key: key)
    }
}

/// Unchecked: used by one thread, but for `shutdown`, which only touches the connection.
final class ScramblingLink: Link, @unchecked Sendable {
    private static let recordByteLimit = 10_000
    private static let greeting: [UInt8] = Array("scrambled".utf8)

    private let connection: Connection
    private let sendKey: UInt8
    private let receiveKey: UInt8
    /// Bytes that are on their way to the connection, and how many of the caller's they stand for.
    private var outgoing: [UInt8]
    private var outgoingByteCount = 0
    /// Bytes from the connection that are no whole record yet, and those of whole ones.
    private var incoming: [UInt8] = []
    private var plain: [UInt8] = []
    private var isGreeted = false
    private var hasEnded = false

    init(_ connection: Connection, _ role: LinkRole, key: UInt8) {
        self.connection = connection
        sendKey = role == .caller ? key : ~key
        receiveKey = ~sendKey
        outgoing = Self.greeting.map { [sendKey] in $0 ^ sendKey }
    }

    var localAddress: SocketAddress { connection.localAddress }
    var remoteAddress: SocketAddress { connection.remoteAddress }
    var pollDescriptor: Int32 { connection.pollDescriptor }
    var isMemory: Bool { false }
    var medium: String { "scrambled TCP" }
    var receiveInterest: Poller.Interest { outgoing.isEmpty ? .read : [.read, .write] }
    var sendInterest: Poller.Interest { isGreeted ? .write : receiveInterest }

    func shutdown() { connection.shutdown() }
    func close() { connection.close() }

    func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        if !isGreeted { try fill() }
        if hasEnded { return .closed }
        guard try flush(), isGreeted else { return .wouldBlock }
        if outgoingByteCount == 0 {
            let bytes = (Array(first) + Array(second)).prefix(Self.recordByteLimit)
            outgoingByteCount = bytes.count
            outgoing = ([UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes)
                .map { $0 ^ sendKey }
            guard try flush() else { return .wouldBlock }
        }
        defer { outgoingByteCount = 0 }
        return .transferred(outgoingByteCount)
    }

    func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        _ = try flush()
        if plain.isEmpty { try fill() }
        if plain.isEmpty { return hasEnded ? .closed : .wouldBlock }
        let count = min(plain.count, first.count + second.count)
        for index in 0..<count {
            if index < first.count {
                first[index] = plain[index]
            } else {
                second[index - first.count] = plain[index]
            }
        }
        plain.removeFirst(count)
        return .transferred(count)
    }

    func announceReceiveWait() -> Bool { plain.isEmpty }

    /// Moves what is on its way into the connection; false while some of it is left.
    private func flush() throws(TransportError) -> Bool {
        while !outgoing.isEmpty {
            let result = outgoing.withUnsafeBytes { bytes in
                Result { () throws(TransportError) in try connection.trySend(bytes) }
            }
            guard case .transferred(let count) = try result.get() else { return false }
            outgoing.removeFirst(count)
        }
        return true
    }

    /// Takes all that has come and opens the records that are whole.
    private func fill() throws(TransportError) {
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let result = piece.withUnsafeMutableBytes { buffer in
                Result { () throws(TransportError) in try connection.tryReceive(buffer) }
            }
            switch try result.get() {
            case .wouldBlock: return
            case .closed:
                hasEnded = true
                return
            case .transferred(let count):
                incoming += piece.prefix(count).map { $0 ^ receiveKey }
                if !isGreeted, incoming.count >= Self.greeting.count {
                    isGreeted = incoming.starts(with: Self.greeting)
                    guard isGreeted else { throw .closed(.receive, remoteAddress) }
                    incoming.removeFirst(Self.greeting.count)
                }
                while isGreeted, incoming.count >= 2 {
                    let end = 2 + Int(incoming[0]) << 8 + Int(incoming[1])
                    guard incoming.count >= end else { break }
                    plain += incoming[2..<end]
                    incoming.removeFirst(end)
                }
            }
        }
    }
}
