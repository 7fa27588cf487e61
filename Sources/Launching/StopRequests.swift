// What a signal to end means when it is not the first one.
//
// A second Ctrl-C says that saving takes too long and everything shall end at once. But `timeout`
// signals its child and then the child's group, and a terminal that closes does the like: two
// signals in one moment are one wish, and the checkpoint of the run must survive it.

/// Tells a repeated wish to end from the echo of the first one. Pure: the time is passed in.
package struct StopRequests: Sendable {
    package enum Meaning: Equatable, Sendable {
        /// The first signal: save and end.
        case stop
        /// Part of the same wish; nothing more is to be done.
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
