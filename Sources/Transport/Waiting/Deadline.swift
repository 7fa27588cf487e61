// Every wait ends at an instant, not after a duration: a wait that is resumed (after a signal,
// after a partial transfer) must not start its time anew.

/// A point in monotonic time after which a wait fails.
package struct Deadline: Hashable, Sendable {
    package let instant: ContinuousClock.Instant

    package init(_ instant: ContinuousClock.Instant) {
        self.instant = instant
    }

    /// The instant `timeout` from now.
    package static func after(_ timeout: Duration) -> Deadline {
        Deadline(ContinuousClock.now + timeout)
    }

    /// Time left, never negative.
    package var remaining: Duration {
        max(.zero, instant - ContinuousClock.now)
    }

    package var hasPassed: Bool { remaining == .zero }

    /// Milliseconds left as poll(2) takes them: rounded up, so that a wait never ends early and
    /// spins through its last millisecond; at most a day, so that the number always fits.
    package var pollMilliseconds: Int32 {
        let left = min(remaining, .seconds(86_400))
        let (seconds, attoseconds) = left.components
        let milliseconds =
            seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(milliseconds)
    }

    package static func earliest(_ first: Deadline, _ second: Deadline) -> Deadline {
        first.instant <= second.instant ? first : second
    }
}
