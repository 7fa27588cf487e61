// Links as the layers above see them: something that takes or gives bytes without blocking, and a
// descriptor to wait on. A TCP connection carries bytes both ways, a ring in shared memory has a
// type for each end, and a test's scripted double can stand in for either.
//
// A thread that waits on the descriptor of a ring's link says so before and afterwards
// (`announce...Wait`, `end...Wait`): shared memory makes its descriptor ready only for a side that
// has announced that it sleeps.

/// What a non-blocking transfer did.
package enum TransferResult: Equatable, Sendable {
    /// At least one byte moved, possibly fewer than offered.
    case transferred(Int)
    /// Nothing can move now; wait on the descriptor.
    case wouldBlock
    /// The other side will never move another byte.
    case closed
}

/// What all ends of links have.
package protocol LinkEnd: AnyObject, Sendable {
    /// The descriptor to wait on until bytes can move.
    var pollDescriptor: Int32 { get }
    /// Whether the bytes are copied by the two processes themselves, with nothing on the way
    /// between them.
    var isMemory: Bool { get }
    /// Ends the link in both directions; callable from any thread, wakes a waiting one.
    func shutdown()
    /// Gives the descriptor back; by the thread that uses the link, any number of times.
    func close()
}

/// The receiving end of a link.
package protocol IncomingLink: LinkEnd {
    /// What to wait for on the descriptor before receiving again.
    var receiveInterest: Poller.Interest { get }
    /// Receives into `first`, then into `second`, as many bytes as there are. Either may be empty,
    /// not both.
    func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult
    /// Bytes that have arrived and can be used where they lie until `consume`; nil when there are
    /// none, or when the link keeps them elsewhere and only `tryReceive` gets at them. The other
    /// side may write to them at any time: what is checked must be copied first.
    func arrived() throws(TransportError) -> UnsafeRawBufferPointer?
    /// Gives the room of the first `byteCount` arrived bytes back.
    func consume(_ byteCount: Int) throws(TransportError)
    /// Announces a wait; false when there is something to receive, so that waiting is wrong.
    func announceReceiveWait() throws(TransportError) -> Bool
    /// Ends what `announceReceiveWait` began.
    ///
    /// - Parameter hasWaited: whether the descriptor has really been waited on.
    func endReceiveWait(hasWaited: Bool) throws(TransportError)
}

extension IncomingLink {
    package func arrived() throws(TransportError) -> UnsafeRawBufferPointer? { nil }
    package func consume(_ byteCount: Int) throws(TransportError) {}
    package func announceReceiveWait() throws(TransportError) -> Bool { true }
    package func endReceiveWait(hasWaited: Bool) throws(TransportError) {}

    /// Receives into one buffer.
    package func tryReceive(
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        try tryReceive(buffer, UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
}

/// The sending end of a link.
package protocol OutgoingLink: LinkEnd {
    /// What to wait for on the descriptor before sending again.
    var sendInterest: Poller.Interest { get }
    /// Sends `first`, then `second`, as many bytes as fit. Either may be empty, not both. A call
    /// that would have blocked is repeated with the same bytes.
    func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult
    /// What the bytes go through, for people: "TCP".
    var medium: String { get }
    /// Announces a wait; false when something can be sent, so that waiting is wrong.
    func announceSendWait() throws(TransportError) -> Bool
    /// Ends what `announceSendWait` began.
    ///
    /// - Parameter hasWaited: whether the descriptor has really been waited on.
    func endSendWait(hasWaited: Bool) throws(TransportError)
}

extension OutgoingLink {
    package func announceSendWait() throws(TransportError) -> Bool { true }
    package func endSendWait(hasWaited: Bool) throws(TransportError) {}

    /// Sends from one buffer.
    package func trySend(
        _ buffer: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        try trySend(buffer, UnsafeRawBufferPointer(start: nil, count: 0))
    }
}

/// A link that carries bytes both ways between two processes: a TCP connection, or what wraps one.
package protocol Link: IncomingLink, OutgoingLink {
    var localAddress: SocketAddress { get }
    var remoteAddress: SocketAddress { get }
}

extension Link {
    /// Whether both ends are on this host.
    package var isWithinHost: Bool {
        remoteAddress.isLoopback || remoteAddress.host == localAddress.host
    }
}
