// What a supervisor does about its children, as a pure state machine: ends of children, signals and
// the clock go in, signals to children come out. No process is touched here, so every order of
// events can be tested.
//
//     running --signal--> stopping             the coordinator is asked to save and end
//     running, stopping --a child fails--> draining (2 s)   the coordinator tells the others
//     draining --time up--> terminating (1 s)  SIGTERM to all
//     terminating --time up--> killing         SIGKILL to all
//     any --second signal--> killing
//     any --all children gone--> over
//
// From a worker's death to the last process' end these times allow 3 s and the reaping.

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

    private enum Phase: Equatable { case running, stopping, draining, terminating, killing }

    /// A child that ended otherwise than with success, before it was told to.
    package struct Casualty: Equatable, Sendable {
        package let child: Child
        package let status: ProcessEnd

        package init(child: Child, status: ProcessEnd) {
            self.child = child
            self.status = status
        }
    }

    package static let drainTime: Duration = .seconds(2)
    package static let terminationTime: Duration = .seconds(1)

    private var phase: Phase = .running
    private var living: Set<Child>
    private var isSpawning = true
    private(set) package var casualties: [Casualty] = []
    private(set) package var coordinatorStatus: ProcessEnd?
    /// Whether a signal has asked for the end.
    private(set) package var wasInterrupted = false
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

    package var isOver: Bool { living.isEmpty && !isSpawning }

    package mutating func handle(_ event: Event, now: ContinuousClock.Instant) -> [Action] {
        switch event {
        case .ended(let child, let status):
            return ended(child, status, now)
        case .signal:
            let isFirst = !wasInterrupted
            wasInterrupted = true
            guard isFirst, phase == .running else {
                return phase == .killing ? [] : kill()
            }
            phase = .stopping
            return [.interruptCoordinator]
        case .failed:
            isSpawning = false
            return phase == .running || phase == .stopping ? terminate(now) : []
        case .deadlinePassed:
            switch phase {
            case .draining: return terminate(now)
            case .terminating: return kill()
            case .running, .stopping, .killing:
                deadline = nil
                return []
            }
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

    /// The end that explains the others': one by a signal before a child that gave up, and a
    /// worker's own status before "peers lost", which is what the others say of a failure.
    package var firstCause: Casualty? {
        casualties.first { if case .signalled = $0.status { true } else { false } }
            ?? casualties.first { $0.child != .coordinator && $0.status != .exited(4) }
            ?? casualties.first { $0.child == .coordinator && $0.status != .exited(4) }
            ?? casualties.first
    }
}
