// The one place where a connection becomes a link. The control channel, the question for a run's
// status and the ring's links all open theirs through a factory, so that a link that encrypts is a
// type that implements `Link`, a factory that makes it, and the line below that chooses the
// factory.
//
// What a wrapper has to know: `open` must not block. A wrapper that shakes hands does so in the
// first transfers, which answer `wouldBlock` meanwhile, and says in `receiveInterest` and
// `sendInterest` what it waits for. Every transfer may read and write the connection. Once a link
// has said `wouldBlock` to a receiver, it holds no received bytes back.

/// Which side of a connection a link is on.
package enum LinkRole: Sendable {
    /// The side that connected.
    case caller
    /// The side that accepted.
    case called
}

/// Makes links out of connections. Used from any thread.
package protocol LinkFactory: Sendable {
    /// Takes the connection over before any byte has moved on it, without blocking.
    func open(_ connection: Connection, as role: LinkRole) throws(TransportError) -> any Link
}

/// Bytes in the clear: the connection itself is the link.
package struct PlainLinks: LinkFactory {
    package init() {}

    package func open(_ connection: Connection, as role: LinkRole) -> any Link { connection }
}

extension LinkFactory where Self == PlainLinks {
    /// What links are made by unless a caller says otherwise.
    package static var standard: PlainLinks { PlainLinks() }
}
