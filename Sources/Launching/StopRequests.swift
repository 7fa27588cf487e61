// What a second signal to end means.
//
// A second Ctrl-C means that saving takes too long and everything should end at once. But `timeout`
// signals its child and then the child's group, and so does a closing terminal: two signals at
// nearly the same moment are one request, and must not cost the run its checkpoint.

/// Tells a repeated request to end from the echo of the first one. Pure: the time is passed in.
package struct StopRequests: Sendable {
    package enum Meaning: Equatable, Sendable {
        /// The first signal: save and end.
        case stop
        /// Part of the same request; nothing more is to be done.
        case echo
        /// Asked again: end at once.
        case endAtOnce
    }

    /// Longer than machines take to repeat a signal, shorter than people take to lose patience.
    package static let echoTime: Duration = .seconds(1)

    private var first: ContinuousClock.Instant?

    package init() {}

    package var wasMade: Bool { first != nil }

    package mutating func received(at now: ContinuousClock.Instant) -> Meaning {
        guard let first else {
            self.first = now
            return .stop
        }
        return now - first < Self.echoTime ? .echo : .endAtOnce
    }
}
