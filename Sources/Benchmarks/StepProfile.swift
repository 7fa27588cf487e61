import Autodiff
import DataParallel
import Foundation

/// Where the time of a benchmark's steps went: by operation and by phase, and what happened when.
package struct StepProfile: Codable, Equatable, Sendable {
    package struct Operation: Codable, Equatable, Sendable {
        package var name: String
        package var calls: Int
        package var forwardSeconds: Double, backwardSeconds: Double
        /// 0 where they are not counted.
        package var flops: Int

        package var seconds: Double { forwardSeconds + backwardSeconds }
    }

    package struct Phase: Codable, Equatable, Sendable {
        package var name: String
        package var seconds: Double
    }

    package var steps: Int
    /// The longest first.
    package var operations: [Operation]
    package var phases: [Phase]
    package var events: [TraceEvent]
}

/// An event in the format of chrome://tracing ("Trace Event Format", complete events).
/// Microseconds.
package struct TraceEvent: Codable, Equatable, Sendable {
    package var name: String
    package var cat: String
    package var ph = "X"
    package var ts: Double, dur: Double
    package var pid = 1
    package var tid: Int
}

/// Collects a profile on the worker. Used by one thread.
final class StepProfiler {
    let operations: OperationProfile
    private var phases: [StepPhase: Double] = [:]
    private var events: [TraceEvent] = []
    private var current: (phase: StepPhase, since: ContinuousClock.Instant)?
    /// Of the phases and of the operations, which the trace shows on one axis.
    private let origin = ContinuousClock.now
    private static let eventLimit = 20_000

    init() { operations = OperationProfile(origin: origin) }

    /// The step goes on to another phase; nil at its end.
    func enter(_ phase: StepPhase?) {
        let now = ContinuousClock.now
        if let current {
            phases[current.phase, default: 0] += (now - current.since) / .seconds(1)
            if events.count < Self.eventLimit {
                events.append(
                    TraceEvent(
                        name: current.phase.rawValue, cat: "phase",
                        ts: (current.since - origin) / .microseconds(1),
                        dur: (now - current.since) / .microseconds(1), tid: 1))
            }
        }
        current = phase.map { ($0, now) }
    }

    func result(steps: Int) -> StepProfile {
        let entries = operations.entries.map { name, entry in
            StepProfile.Operation(
                name: name, calls: entry.calls, forwardSeconds: entry.forwardSeconds,
                backwardSeconds: entry.backwardSeconds, flops: entry.flops)
        }.sorted { $0.seconds > $1.seconds }
        let forward = entries.reduce(0) { $0 + $1.forwardSeconds }
        let backward = entries.reduce(0) { $0 + $1.backwardSeconds }
        let rest = max(0, phases[.compute, default: 0] - forward - backward)
        return StepProfile(
            steps: steps, operations: entries,
            phases: [
                .init(name: "data", seconds: phases[.data, default: 0]),
                .init(name: "forward", seconds: forward),
                .init(name: "backward", seconds: backward),
                .init(name: "between", seconds: rest),
                .init(name: "ring wait", seconds: phases[.ring, default: 0]),
                .init(name: "optimizer", seconds: phases[.optimizer, default: 0]),
            ],
            events: events
                + operations.events.map { event in
                    TraceEvent(
                        name: event.name, cat: event.isForward ? "forward" : "backward",
                        ts: event.start / .microseconds(1),
                        dur: event.duration / .microseconds(1), tid: 2)
                })
    }
}
