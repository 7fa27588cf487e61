import Foundation

/// Events from any thread, taken by one thread in the order they came.
final class EventQueue<Event: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    /// Guarded by `condition`.
    private var pending: [Event] = []

    func push(_ event: Event) {
        condition.lock()
        pending.append(event)
        condition.signal()
        condition.unlock()
    }

    /// The next event, or nil when there is none until `instant` (nil: waits for one).
    func next(until instant: ContinuousClock.Instant?) -> Event? {
        condition.lock()
        defer { condition.unlock() }
        while pending.isEmpty {
            guard let instant else {
                condition.wait()
                continue
            }
            let left = (instant - ContinuousClock.now) / .seconds(1)
            guard left > 0 else { return nil }
            // A change of the wall clock may end this wait early or late once; the monotonic time
            // is checked again after it.
            _ = condition.wait(until: Date(timeIntervalSinceNow: left))
        }
        return pending.removeFirst()
    }
}
