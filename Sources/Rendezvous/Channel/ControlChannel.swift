// One end of a control connection as both sides use it: frames in, frames out, never blocking.
// The poll loop that owns the channel decides when to call; the channel only moves what can be
// moved.
//
// The output queue is bounded: a peer that stops reading fills it and is then given up by the
// owner, instead of filling the memory.

import Transport
import WireFormat

/// Why a channel came to its end.
enum ChannelError: Error, Equatable {
    /// The other side closed the connection.
    case closed
    /// The socket failed.
    case transport(String)
    /// The other side sent something that is not of this protocol.
    case notProtocol(String)
    /// The other side does not read what it is sent.
    case queueFull(byteLimit: Int)
}

/// A non-blocking, framed control connection. Used by one thread.
struct ControlChannel {
    /// Large enough for a frame of the greatest length and a few small ones.
    static let queueByteLimit = 4 << 20
    /// What one call of `receive` takes at most, so that one busy peer cannot starve the others.
    private static let receiveByteLimit = 1 << 20
    private static let scratchByteCount = 64 * 1024

    let connection: Connection
    private var decoder = ControlFrameDecoder()
    /// Encoded frames that wait; the first may have been sent in part.
    private var queue: [[UInt8]] = []
    private var sentOfFirst = 0
    private(set) var queuedByteCount = 0

    init(connection: Connection) {
        self.connection = connection
    }

    var wantsToSend: Bool { !queue.isEmpty }

    /// Puts a frame into the output queue.
    mutating func enqueue(_ frame: ControlFrame) throws(ChannelError) {
        let bytes: [UInt8]
        do {
            bytes = try frame.encoded()
        } catch {
            throw .notProtocol("\(error)")
        }
        guard queuedByteCount + bytes.count <= Self.queueByteLimit else {
            throw .queueFull(byteLimit: Self.queueByteLimit)
        }
        queue.append(bytes)
        queuedByteCount += bytes.count
    }

    /// Sends what the socket takes now.
    mutating func send() throws(ChannelError) {
        var finished = 0
        defer { queue.removeFirst(finished) }
        while finished < queue.count {
            let result: TransferResult
            do {
                result = try Self.trySend(queue[finished], from: sentOfFirst, on: connection)
            } catch {
                throw .transport("\(error)")
            }
            switch result {
            case .closed: throw .closed
            case .wouldBlock: return
            case .transferred(let count):
                sentOfFirst += count
                queuedByteCount -= count
                if sentOfFirst == queue[finished].count {
                    sentOfFirst = 0
                    finished += 1
                }
            }
        }
    }

    private static func trySend(
        _ bytes: [UInt8], from offset: Int, on connection: Connection
    ) throws(TransportError) -> TransferResult {
        let result = bytes.withUnsafeBytes { source in
            Result { () throws(TransportError) in
                try connection.trySend(UnsafeRawBufferPointer(rebasing: source[offset...]))
            }
        }
        return try result.get()
    }

    /// Receives what there is and hands every complete frame to `body`.
    ///
    /// Frames that came before an end or an error are handed over first: the last words of a peer
    /// that then closed are not lost.
    mutating func receive(_ body: (ControlFrame) -> Void) throws(ChannelError) {
        var received = 0
        while received < Self.receiveByteLimit {
            let result: TransferResult
            do {
                result = try receivePiece()
            } catch {
                throw .transport("\(error)")
            }
            switch result {
            case .wouldBlock: return
            case .closed: throw .closed
            case .transferred(let count): received += count
            }
            do {
                while let frame = try decoder.next() { body(frame) }
            } catch {
                throw .notProtocol("\(error)")
            }
        }
    }

    private mutating func receivePiece() throws(TransportError) -> TransferResult {
        let connection = connection
        let result = withUnsafeTemporaryAllocation(
            byteCount: Self.scratchByteCount, alignment: 16
        ) { scratch in
            Result { () throws(TransportError) in
                let result = try connection.tryReceive(scratch)
                if case .transferred(let count) = result {
                    decoder.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                }
                return result
            }
        }
        return try result.get()
    }
}

extension ControlFrame {
    init(_ message: WorkerMessage) throws(ControlMessageError) {
        self.init(kind: .message, payload: try message.encoded())
    }

    init(_ message: CoordinatorMessage) throws(ControlMessageError) {
        self.init(kind: .message, payload: try message.encoded())
    }
}
