// What a supervisor does about its children, as a pure state machine: ends of children, signals and
// the clock go in, signals to children come out. No process is touched here, so every order of
// events can be tested.
//
//     running --signal--> stopping             the coordinator is asked to save and end
//     running --a worker ends with success--> finishing (10 s)  the coordinator is about to end
//     finishing --time up--> terminating       that worker has not taken part
//     running, stopping, finishing --a child fails--> draining (2.5 s)
//                                              the coordinator tells the others
//     draining --time up--> terminating (1 s)  SIGTERM to all
//     terminating --time up--> killing         SIGKILL to all
//     any --asked again by a signal--> killing
//     any --all children gone--> over
//
// From a worker's death to the last process' end these times allow 3.5 s and the reaping.

import Glibc

/// The states of a supervisor and what follows from what happens.
package struct Supervision: Sendable {
    package enum Child: Hashable, Sendable {
        case coordinator
        case worker(Int)
    }

    package enum Event: Sendable {
        case ended(Child, ProcessEnd)
        /// SIGINT, SIGTERM or SIGHUP came to the supervisor.
        case signal
        /// Something outside failed, such as the start of a child.
        case failed
        /// Nothing happened until `deadline`.
        case deadlinePassed
    }

    package enum Action: Equatable, Sendable {
        case interruptCoordinator
        case terminateAll
        case killAll
    }

    private enum Phase: Equatable {
        case running, stopping, draining, terminating, killing
        /// The worker that ended first.
        case finishing(Child)
    }

    /// A child that failed, or ended too soon, before it was told to end.
    package struct Casualty: Equatable, Sendable {
        package let child: Child
        package let status: ProcessEnd

        package init(child: Child, status: ProcessEnd) {
            self.child = child
            self.status = status
        }
    }

    /// Longer than the coordinator gives its workers to leave, so that it can still say what
    /// was wrong.
    package static let drainTime: Duration = .milliseconds(2500)
    /// A coordinator ends right after the workers that it has let go; this is far above that.
    package static let finishingTime: Duration = .seconds(10)
    package static let terminationTime: Duration = .seconds(1)

    private var phase: Phase = .running
    private var living: Set<Child>
    private var isSpawning = true
    private(set) package var casualties: [Casualty] = []
    private(set) package var coordinatorStatus: ProcessEnd?
    private var stopRequests = StopRequests()
    /// Whether everything was killed because a signal asked for it.
    private var wasKilledBySignal = false
    /// When `deadlinePassed` is due; nil: never.
    private(set) package var deadline: ContinuousClock.Instant?

    /// A supervision of a coordinator that has been started.
    package init() {
        living = [.coordinator]
    }

    /// A worker has been started.
    package mutating func started(_ child: Child) { living.insert(child) }

    /// No child will be started any more.
    package mutating func allStarted() { isSpawning = false }

    /// Whether a signal has asked for the end.
    package var wasInterrupted: Bool { stopRequests.wasMade }

    /// Whether the run has ended as an interrupted run does, with nothing else to say about it.
    package var endedByInterrupt: Bool {
        // The coordinator may also have been asked by somebody else than this supervisor.
        if casualties.contains(Casualty(child: .coordinator, status: .exited(130))) { return true }
        guard wasInterrupted else { return false }
        return wasKilledBySignal || coordinatorStatus == .exited(130)
            // It had not begun to watch for signals yet.
            || coordinatorStatus == .signalled(SIGINT)
    }

    package var isOver: Bool { living.isEmpty && !isSpawning }

    package mutating func handle(_ event: Event, now: ContinuousClock.Instant) -> [Action] {
        switch event {
        case .ended(let child, let status):
            return ended(child, status, now)
        case .signal:
            return signalled(now)
        case .failed:
            isSpawning = false
            return isUndisturbed ? terminate(now) : []
        case .deadlinePassed:
            switch phase {
            case .draining: return terminate(now)
            case .terminating: return kill()
            case .finishing(let child):
                casualties.append(Casualty(child: child, status: .exited(0)))
                return terminate(now)
            case .running, .stopping, .killing:
                deadline = nil
                return []
            }
        }
    }

    /// Whether nothing has gone wrong so far.
    private var isUndisturbed: Bool {
        switch phase {
        case .running, .stopping, .finishing: true
        case .draining, .terminating, .killing: false
        }
    }

    private mutating func signalled(_ now: ContinuousClock.Instant) -> [Action] {
        switch stopRequests.received(at: now) {
        case .echo:
            return []
        case .stop:
            guard isUndisturbed else { return [] }
            phase = .stopping
            deadline = nil
            return [.interruptCoordinator]
        case .endAtOnce:
            guard phase != .killing else { return [] }
            wasKilledBySignal = isUndisturbed
            return kill()
        }
    }

    private mutating func ended(
        _ child: Child, _ status: ProcessEnd, _ now: ContinuousClock.Instant
    ) -> [Action] {
        living.remove(child)
        if child == .coordinator { coordinatorStatus = status }
        // Ends that this supervision has brought about itself say nothing.
        guard phase != .terminating, phase != .killing else { return [] }
        if !status.isSuccess { casualties.append(Casualty(child: child, status: status)) }
        if phase != .draining, child == .coordinator || !status.isSuccess {
            phase = .draining
            deadline = now + Self.drainTime
        } else if phase == .running {
            phase = .finishing(child)
            deadline = now + Self.finishingTime
        }
        return []
    }

    private mutating func terminate(_ now: ContinuousClock.Instant) -> [Action] {
        phase = .terminating
        deadline = now + Self.terminationTime
        return [.terminateAll]
    }

    private mutating func kill() -> [Action] {
        phase = .killing
        deadline = nil
        return [.killAll]
    }

    /// The end that explains the others' when the coordinator has not said what was wrong: one by
    /// a signal before a child that gave up, and a worker's own status before "peers lost", which
    /// is what the others say of a failure.
    package var firstCause: Casualty? {
        casualties.first { if case .signalled = $0.status { true } else { false } }
            ?? casualties.first { $0.child != .coordinator && $0.status != .exited(4) }
            ?? casualties.first { $0.child == .coordinator && $0.status != .exited(4) }
            ?? casualties.first
    }
}
