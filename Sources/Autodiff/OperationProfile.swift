/// The times of the operations of a training step, for who wants to know where it goes.
///
/// A forward operation ends when it is recorded, one of backward when its closure returns; it began where the
/// one before ended, so the times of a pass add up to that of the pass.
package final class OperationProfile {
    /// What one operation has taken in all.
    package struct Entry: Sendable, Equatable {
        package var calls = 0
        package var forwardSeconds = 0.0, backwardSeconds = 0.0
        /// Of the products of both passes; backward has two for each of forward.
        package var flops = 0
    }

    /// One operation, or one phase of a step.
    package struct Event: Sendable, Equatable {
        package var name: String
        package var isForward: Bool
        /// Since the profile's origin.
        package var start: Duration, duration: Duration
    }

    /// By the name of the operation.
    package private(set) var entries: [String: Entry] = [:]
    /// The first of them: enough to look at, and no more than fits the memory.
    package private(set) var events: [Event] = []
    private static let eventLimit = 20_000
    private let origin: ContinuousClock.Instant
    private var last = ContinuousClock.now

    /// - Parameter origin: from when on the events count their time.
    package init(origin: ContinuousClock.Instant = .now) { self.origin = origin }

    /// The next operation begins now.
    package func begin() { last = ContinuousClock.now }

    func forward(_ operation: StaticString, flops: Int) {
        let (name, seconds) = end(operation, isForward: true)
        entries[name, default: Entry()].calls += 1
        entries[name, default: Entry()].forwardSeconds += seconds
        entries[name, default: Entry()].flops += flops
    }

    func backward(_ operation: StaticString, flops: Int) {
        let (name, seconds) = end(operation, isForward: false)
        entries[name, default: Entry()].backwardSeconds += seconds
        entries[name, default: Entry()].flops += 2 * flops
    }

    private func end(
        _ operation: StaticString, isForward: Bool
    ) -> (name: String, seconds: Double) {
        let now = ContinuousClock.now
        defer { last = now }
        // Of "linear(_:weight:bias:)" the first word says enough.
        let name = String("\(operation)".prefix { $0 != "(" })
        if events.count < Self.eventLimit {
            events.append(
                Event(
                    name: name, isForward: isForward, start: last - origin, duration: now - last))
        }
        return (name, (now - last) / .seconds(1))
    }
}
