// The two halves of a ring link as the collectives see them: something that takes or gives bytes
// without blocking, and a descriptor to wait on. A TCP connection is both; a test's scripted double
// or a shared-memory ring can stand in.

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
    /// Receives into `first`, then into `second`, as many bytes as there are. Either may be empty,
    /// not both.
    func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult
    /// Ends the link in both directions; callable from any thread, wakes a waiting one.
    func shutdown()
    /// Gives the descriptor back; by the thread that uses the link, any number of times.
    func close()
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
    /// Ends the link in both directions; callable from any thread, wakes a waiting one.
    func shutdown()
    /// Gives the descriptor back; by the thread that uses the link, any number of times.
    func close()
}
