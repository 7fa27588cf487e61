/// The times of the operations of a training step: where the step's time goes.
///
/// A forward operation ends when it is recorded, a backward one when its closure returns. Each
/// begins where the one before ended, so the times add up to that of the pass.
package final class OperationProfile {
    /// The total of one operation.
    package struct Entry: Sendable, Equatable {
        package var calls = 0
        package var forwardSeconds = 0.0, backwardSeconds = 0.0
        /// Floating-point operations of the products in both passes; backward has two for each of
        /// forward.
        package var flops = 0
    }

    /// One operation, or one phase of a step.
    package struct Event: Sendable, Equatable {
        package var name: String
        package var isForward: Bool
        /// Start since the profile's origin, and length.
        package var start: Duration, duration: Duration
    }

    /// Totals by operation name.
    package private(set) var entries: [String: Entry] = [:]
    /// The first events; the limit bounds the memory.
    package private(set) var events: [Event] = []
    private static let eventLimit = 20_000
    private let origin: ContinuousClock.Instant
    private var last = ContinuousClock.now

    /// - Parameter origin: the instant from which the events' times are counted.
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
        // "linear(_:weight:bias:)" becomes "linear".
        let name = String("\(operation)".prefix { $0 != "(" })
        if events.count < Self.eventLimit {
            events.append(
                Event(
                    name: name, isForward: isForward, start: last - origin, duration: now - last))
        }
        return (name, (now - last) / .seconds(1))
    }
}
