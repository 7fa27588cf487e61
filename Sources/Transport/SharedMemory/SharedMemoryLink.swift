// A one-way link through a ring in shared memory. The link over which the two sides have met stays
// open beside it: it shows at once when the other process ends, and a byte on it wakes a side that
// sleeps. As long as neither sleeps, no system call is made.
//
//     positions count bytes since the start:  read <= written <= read + ring size
//     the sender owns `written`, the receiver `read`; each keeps its own in private memory too, and
//     never believes more of the other's than that it must lie in these bounds
//
// A side announces that it sleeps, looks once more, and then waits for that link to become
// readable; the other side looks for the announcement after each move. A sender that sleeps is
// woken when half of the ring is free and not at each piece, so that two processes on one core do
// not take turns for every piece.

import CTransport
import Synchronization

/// The link beside the ring: liveness and wake-ups. Used by the thread that transfers, except for
/// `shutdown`.
private final class Bell: Sendable {
    let link: any Link
    private let isOver = Atomic<Bool>(false)

    init(_ link: any Link) { self.link = link }

    /// Whether the other side is gone or this side has ended the link.
    var hasEnded: Bool { isOver.load(ordering: .acquiring) }

    /// Wakes the other side. Bells that it has not heard yet do the same, so a full buffer is no
    /// failure.
    func ring() throws(TransportError) {
        var bell: UInt8 = 1
        let result = withUnsafeBytes(of: &bell) { byte in
            Result { () throws(TransportError) in try link.trySend(byte) }
        }
        if case .closed = try result.get() { isOver.store(true, ordering: .releasing) }
    }

    /// Forgets the bells that have been rung and notices the end.
    func drain() throws(TransportError) {
        var bells: (UInt64, UInt64) = (0, 0)
        let result = withUnsafeMutableBytes(of: &bells) { bytes in
            Result { () throws(TransportError) in try link.tryReceive(bytes) }
        }
        if case .closed = try result.get() { isOver.store(true, ordering: .releasing) }
    }

    func shutdown() {
        isOver.store(true, ordering: .releasing)
        link.shutdown()
    }

    func close() {
        isOver.store(true, ordering: .releasing)
        link.close()
    }
}

/// The most that one try moves: little enough that the other side begins while the rest is copied,
/// with the bytes still in the nearest caches.
private let pieceByteCount = 64 << 10

/// The sending end of a ring in shared memory.
package final class SharedMemorySender: OutgoingLink, @unchecked Sendable {
    private let bell: Bell
    private let segment: SharedSegment
    // Used by the sending thread alone.
    private var written: UInt64 = 0
    private var copy = RingCopy()

    package init(segment: SharedSegment, bell link: any Link) {
        self.segment = segment
        bell = Bell(link)
    }

    package var pollDescriptor: Int32 { bell.link.pollDescriptor }
    package var sendInterest: Poller.Interest { .read }
    package var medium: String { "shared memory" }
    package var isMemory: Bool { true }

    private func freeByteCount() throws(TransportError) -> Int {
        let used = written &- rondo_ring_position(segment.header, RONDO_RECEIVER)
        guard used <= UInt64(SharedSegment.ringByteCount) else {
            throw TransportError(
                code: .corrupted, operation: .send, address: bell.link.remoteAddress)
        }
        return SharedSegment.ringByteCount - Int(used)
    }

    package func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        guard !bell.hasEnded else { return .closed }
        let room = min(try freeByteCount(), pieceByteCount)
        guard room > 0 else { return .wouldBlock }
        let target = segment.ring + Int(written % UInt64(SharedSegment.ringByteCount))
        let firstCount = min(first.count, room)
        let secondCount = min(second.count, room - firstCount)
        if let source = first.baseAddress {
            target.copyMemory(from: source, byteCount: firstCount)
        }
        if let source = second.baseAddress {
            copy.copy(source, to: target + firstCount, byteCount: secondCount)
        }
        written &+= UInt64(firstCount + secondCount)
        rondo_ring_publish(segment.header, RONDO_SENDER, written)
        if rondo_ring_must_wake(segment.header, RONDO_RECEIVER) { try bell.ring() }
        return .transferred(firstCount + secondCount)
    }

    package func announceSendWait() throws(TransportError) -> Bool {
        rondo_ring_announce_sleep(segment.header, RONDO_SENDER)
        return try freeByteCount() < SharedSegment.ringByteCount / 2
    }

    package func endSendWait(hasWaited: Bool) throws(TransportError) {
        let isRung = !rondo_ring_withdraw_sleep(segment.header, RONDO_SENDER)
        if hasWaited || isRung { try bell.drain() }
    }

    package func shutdown() { bell.shutdown() }
    package func close() { bell.close() }
}

/// The receiving end of a ring in shared memory.
package final class SharedMemoryReceiver: IncomingLink, @unchecked Sendable {
    private let bell: Bell
    private let segment: SharedSegment
    /// Used by the receiving thread alone: how far it has read, and how far it knows the sender to
    /// have written.
    private var read: UInt64 = 0
    private var known: UInt64 = 0

    package init(segment: SharedSegment, bell link: any Link) {
        self.segment = segment
        bell = Bell(link)
    }

    package var pollDescriptor: Int32 { bell.link.pollDescriptor }
    package var receiveInterest: Poller.Interest { .read }
    package var isMemory: Bool { true }

    private func usedByteCount() throws(TransportError) -> Int {
        let written = rondo_ring_position(segment.header, RONDO_SENDER)
        let used = written &- read
        guard used <= UInt64(SharedSegment.ringByteCount) else {
            throw TransportError(
                code: .corrupted, operation: .receive, address: bell.link.remoteAddress)
        }
        known = written
        return Int(used)
    }

    package func arrived() throws(TransportError) -> UnsafeRawBufferPointer? {
        let used = try usedByteCount()
        guard used > 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: segment.ring + Int(read % UInt64(SharedSegment.ringByteCount)),
            count: min(used, pieceByteCount))
    }

    package func consume(_ byteCount: Int) throws(TransportError) {
        // `known` is not read anew: the sender's position may be anything by now.
        precondition(byteCount <= known &- read, "\(byteCount) bytes of \(known &- read)")
        read &+= UInt64(byteCount)
        rondo_ring_publish(segment.header, RONDO_RECEIVER, read)
        if known &- read <= UInt64(SharedSegment.ringByteCount) / 2,
            rondo_ring_must_wake(segment.header, RONDO_SENDER)
        {
            try bell.ring()
        }
    }

    package func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        // Read before the ring is: what was written before the end is still received.
        let hasEnded = bell.hasEnded
        guard let source = try arrived(), let start = source.baseAddress else {
            return hasEnded ? .closed : .wouldBlock
        }
        let firstCount = min(first.count, source.count)
        let secondCount = min(second.count, source.count - firstCount)
        first.baseAddress?.copyMemory(from: start, byteCount: firstCount)
        second.baseAddress?.copyMemory(from: start + firstCount, byteCount: secondCount)
        try consume(firstCount + secondCount)
        return .transferred(firstCount + secondCount)
    }

    package func announceReceiveWait() throws(TransportError) -> Bool {
        rondo_ring_announce_sleep(segment.header, RONDO_RECEIVER)
        return try usedByteCount() == 0
    }

    package func endReceiveWait(hasWaited: Bool) throws(TransportError) {
        let isRung = !rondo_ring_withdraw_sleep(segment.header, RONDO_RECEIVER)
        if hasWaited || isRung { try bell.drain() }
    }

    package func shutdown() { bell.shutdown() }
    package func close() { bell.close() }
}
