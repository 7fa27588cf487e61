// What a worker did last, kept in memory and written out when it dies of an error: the phases it
// went through, the generations it entered and left. New events replace old ones, so that the trail
// costs the same in a long run as in a short one.

import Synchronization

/// The last events of one worker. From any thread.
package final class EventTrail: Sendable {
    package static let limit = 200

    private struct Event {
        let instant: ContinuousClock.Instant
        let description: String
        let step: Int?
    }

    private struct State {
        var events: [Event] = []
        /// Where the next event goes once the trail is full.
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func record(
        _ description: String, step: Int? = nil, at instant: ContinuousClock.Instant = .now
    ) {
        let event = Event(instant: instant, description: description, step: step)
        state.withLock { state in
            if state.events.count < Self.limit {
                state.events.append(event)
            } else {
                state.events[state.next] = event
                state.next = (state.next + 1) % Self.limit
            }
        }
    }

    /// The events in the order they came, one line each: "-1.204 s compute, step 120".
    package func lines(now: ContinuousClock.Instant = .now) -> [String] {
        let events = state.withLock { Array($0.events[$0.next...] + $0.events[..<$0.next]) }
        return events.map { event in
            let milliseconds = Int(((now - event.instant) / .milliseconds(1)).rounded())
            let fraction = String(milliseconds % 1000 + 1000).dropFirst()
            return "-\(milliseconds / 1000).\(fraction) s \(event.description)"
                + (event.step.map { ", step \($0)" } ?? "")
        }
    }
}
