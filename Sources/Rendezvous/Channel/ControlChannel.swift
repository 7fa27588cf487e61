// One end of a control connection as both sides use it: frames in, frames out, never blocking.
// The poll loop that owns the channel decides when to call; the channel only moves what can be
// moved.
//
// The output queue is bounded: a peer that stops reading fills it and is then given up by the
// owner, so that it cannot fill the memory.

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

    let link: any Link
    private var decoder = ControlFrameDecoder()
    /// Encoded frames that wait; the first may have been sent in part.
    private var queue: [[UInt8]] = []
    private var sentOfFirst = 0
    private(set) var queuedByteCount = 0
    /// Whether the last `receive` stopped at its limit. What is left may lie in the link already,
    /// where a wait on the descriptor does not see it: receive again before waiting.
    private(set) var mayHoldMore = false

    init(link: any Link) {
        self.link = link
    }

    var wantsToSend: Bool { !queue.isEmpty }

    /// Adds the channel to a wait and returns its slot. When anything shows there, both `send` and
    /// `receive` are called: a link may have to read before it can write, and the other way round.
    func add(to poller: inout Poller) -> Int {
        poller.add(
            link.pollDescriptor,
            wantsToSend ? link.receiveInterest.union(link.sendInterest) : link.receiveInterest)
    }

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
                result = try Self.trySend(queue[finished], from: sentOfFirst, on: link)
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
        _ bytes: [UInt8], from offset: Int, on link: any Link
    ) throws(TransportError) -> TransferResult {
        let result = bytes.withUnsafeBytes { source in
            Result { () throws(TransportError) in
                try link.trySend(UnsafeRawBufferPointer(rebasing: source[offset...]))
            }
        }
        return try result.get()
    }

    /// Receives what there is and hands every complete frame to `body`.
    ///
    /// Frames that came before an end or an error are handed over first: the last message of a peer
    /// that then closed is not lost.
    /// - Returns: whether any byte came.
    @discardableResult
    mutating func receive(_ body: (ControlFrame) -> Void) throws(ChannelError) -> Bool {
        var received = 0
        mayHoldMore = false
        while received < Self.receiveByteLimit {
            let result: TransferResult
            do {
                result = try receivePiece()
            } catch {
                throw .transport("\(error)")
            }
            switch result {
            case .wouldBlock: return received > 0
            case .closed: throw .closed
            case .transferred(let count): received += count
            }
            do {
                while let frame = try decoder.next() { body(frame) }
            } catch {
                throw .notProtocol("\(error)")
            }
        }
        mayHoldMore = true
        return true
    }

    /// Sends what is queued and waits for an answer.
    ///
    /// - Returns: the first frames that come; none when the deadline has passed.
    mutating func exchange(until deadline: Deadline) throws(ChannelError) -> [ControlFrame] {
        while true {
            var frames: [ControlFrame] = []
            var ending: ChannelError?
            do throws(ChannelError) {
                try send()
                try receive { frames.append($0) }
            } catch {
                ending = error
            }
            if !frames.isEmpty { return frames }
            if let ending { throw ending }
            var poller = Poller()
            _ = add(to: &poller)
            do {
                if try poller.wait(until: deadline) == 0 { return [] }
            } catch {
                throw .transport("\(error)")
            }
        }
    }

    private mutating func receivePiece() throws(TransportError) -> TransferResult {
        let link = link
        let result = withUnsafeTemporaryAllocation(
            byteCount: Self.scratchByteCount, alignment: 16
        ) { scratch in
            Result { () throws(TransportError) in
                let result = try link.tryReceive(scratch)
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
