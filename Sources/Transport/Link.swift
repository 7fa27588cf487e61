// The two halves of a ring link as the collectives see them: something that takes or gives bytes
// without blocking, and a descriptor to wait on. A TCP connection is both, a ring in shared memory has
// a type for each end; a test's scripted double can stand in.
//
// Whoever waits on the descriptor says so before and afterwards (`announce...Wait`, `end...Wait`): a
// ring in memory makes its descriptor ready only for a side that has announced that it sleeps.

/// What a non-blocking transfer did.
package enum TransferResult: Equatable, Sendable {
    /// At least one byte moved, possibly fewer than offered.
    case transferred(Int)
    /// Nothing can move now; wait on the descriptor.
    case wouldBlock
    /// The other side will never move another byte.
    case closed
}

/// The receiving end of a link.
package protocol IncomingLink: AnyObject, Sendable {
    /// The descriptor that becomes ready when bytes can be received.
    var pollDescriptor: Int32 { get }
    /// What to wait for on the descriptor.
    var receiveInterest: Poller.Interest { get }
    /// Whether the bytes are copied by the two processes themselves, with nothing on the way between them.
    var isMemory: Bool { get }
    /// Receives into `first`, then into `second`, as many bytes as there are. Either may be empty,
    /// not both.
    func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult
    /// Bytes that have arrived and can be used where they lie until `consume`; nil when there are none, or
    /// when the link keeps them elsewhere and only `tryReceive` gets at them. The other side may write
    /// to them at any time: what is checked must be copied first.
    func arrived() throws(TransportError) -> UnsafeRawBufferPointer?
    /// Gives the room of the first `byteCount` arrived bytes back.
    func consume(_ byteCount: Int) throws(TransportError)
    /// Announces a wait; false when there is something to receive, so that waiting is wrong.
    func announceReceiveWait() throws(TransportError) -> Bool
    /// Ends what `announceReceiveWait` began.
    ///
    /// - Parameter hasWaited: whether the descriptor has really been waited on.
    func endReceiveWait(hasWaited: Bool) throws(TransportError)
    /// Ends the link in both directions; callable from any thread, wakes a waiting one.
    func shutdown()
    /// Gives the descriptor back; by the thread that uses the link, any number of times.
    func close()
}

extension IncomingLink {
    package func arrived() throws(TransportError) -> UnsafeRawBufferPointer? { nil }
    package func consume(_ byteCount: Int) throws(TransportError) {}
    package func announceReceiveWait() throws(TransportError) -> Bool { true }
    package func endReceiveWait(hasWaited: Bool) throws(TransportError) {}
}

/// The sending end of a link.
package protocol OutgoingLink: AnyObject, Sendable {
    /// The descriptor that becomes ready when bytes can be sent.
    var pollDescriptor: Int32 { get }
    /// What to wait for on the descriptor.
    var sendInterest: Poller.Interest { get }
    /// Sends `first`, then `second`, as many bytes as fit. Either may be empty, not both.
    func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult
    /// What the bytes go through, in words.
    var medium: String { get }
    /// As of an incoming link.
    var isMemory: Bool { get }
    /// Announces a wait; false when something can be sent, so that waiting is wrong.
    func announceSendWait() throws(TransportError) -> Bool
    /// Ends what `announceSendWait` began.
    ///
    /// - Parameter hasWaited: whether the descriptor has really been waited on.
    func endSendWait(hasWaited: Bool) throws(TransportError)
    /// Ends the link in both directions; callable from any thread, wakes a waiting one.
    func shutdown()
    /// Gives the descriptor back; by the thread that uses the link, any number of times.
    func close()
}

extension OutgoingLink {
    package func announceSendWait() throws(TransportError) -> Bool { true }
    package func endSendWait(hasWaited: Bool) throws(TransportError) {}
}
