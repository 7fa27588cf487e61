// Decides what a supervisor does about its children, as a pure state machine. Ends of children,
// signals and the time go in; starts of children and signals to them come out. No process is
// touched here, so every order of events can be tested.
//
//     running --a worker is lost--> running    started again, after a pause that grows
//     running --signal--> stopping             the coordinator is asked to save and end
//     running --all workers ended well and none ever joined--> finishing (10 s)
//     finishing --time up--> terminating       the workers have not taken part
//     running, stopping, finishing --a child fails for good--> draining (2.5 s)
//                                              the coordinator tells the others
//     draining --time up--> terminating (1 s)  SIGTERM to all
//     terminating --time up--> killing         SIGKILL to all
//     any --asked again by a signal--> killing
//     any --all children gone--> over
//
// The end of the coordinator settles the run; from then to the last process' end these times allow
// 3.5 s and the reaping.

import ExitCodes
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
        /// Start the worker of that slot again.
        case startWorker(Int)
        /// Start a coordinator that replaces the killed one.
        case startCoordinator
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

    /// What is known about a slot.
    private struct Slot {
        var startedAt: ContinuousClock.Instant
        /// Whether a worker of this slot has joined the run, so that the way to it works.
        var hasJoined = false
        /// Losses in a row, without a long life between them.
        var lossCount = 0
        /// When its next worker is started.
        var restartAt: ContinuousClock.Instant?
    }

    /// Longer than the coordinator gives its workers to leave, so that it can still say what
    /// was wrong.
    package static let drainTime: Duration = .milliseconds(2500)
    /// The coordinator gets this long to explain why workers ended well without having joined; it
    /// needs far less. When workers that did join have left, the coordinator may have others.
    package static let finishingTime: Duration = .seconds(10)
    package static let terminationTime: Duration = .seconds(1)
    /// The pause before a worker that was lost again is restarted; there is none after the first
    /// loss.
    package static let firstPause: Duration = .milliseconds(500)
    package static let longestPause: Duration = .seconds(30)
    /// A worker that lived this long does not fail at every start.
    package static let longLife: Duration = .seconds(60)

    /// So many coordinators that crash within ten seconds are replaced, and no more.
    package static let coordinatorLossLimit = 3

    private var phase: Phase = .running
    private var living: Set<Child>
    private var slots: [Int: Slot] = [:]
    /// Recent coordinator crashes.
    private var coordinatorLosses: [ContinuousClock.Instant] = []
    private var isSpawning = true
    private(set) package var casualties: [Casualty] = []
    private(set) package var coordinatorStatus: ProcessEnd?
    private var stopRequests = StopRequests()
    /// Whether everything was killed because a signal asked for it.
    private var wasKilledBySignal = false
    /// When the phase ends by itself; nil: never.
    private var phaseDeadline: ContinuousClock.Instant?

    /// A supervision of a coordinator that has been started.
    package init() {
        living = [.coordinator]
    }

    /// When `deadlinePassed` is due; nil: never.
    package var deadline: ContinuousClock.Instant? {
        slots.values.compactMap(\.restartAt).reduce(phaseDeadline) { earliest, instant in
            earliest.map { min($0, instant) } ?? instant
        }
    }

    /// A child has been started.
    package mutating func started(_ child: Child, now: ContinuousClock.Instant) {
        living.insert(child)
        guard case .worker(let slot) = child else { return }
        if slots[slot] == nil {
            slots[slot] = Slot(startedAt: now)
        } else {
            slots[slot]?.startedAt = now
        }
    }

    /// The worker of a slot has joined the run.
    package mutating func joined(_ slot: Int) { slots[slot]?.hasJoined = true }

    /// All first workers have been started.
    package mutating func allStarted() { isSpawning = false }

    /// Whether a signal has asked the run to end.
    package var wasInterrupted: Bool { stopRequests.wasMade }

    /// Whether the run ended because it was interrupted, and for no other reason.
    package var endedByInterrupt: Bool {
        // Somebody other than this supervisor may have interrupted the coordinator.
        if casualties.contains(where: {
            $0.child == .coordinator && $0.status.exitCode == .interrupted
        }) {
            return true
        }
        guard wasInterrupted else { return false }
        return wasKilledBySignal || coordinatorStatus?.exitCode == .interrupted
            // It had not begun to watch for signals yet.
            || coordinatorStatus == .signalled(SIGINT)
    }

    package var isOver: Bool {
        living.isEmpty && !isSpawning && slots.values.allSatisfy { $0.restartAt == nil }
    }

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
            return deadlinePassed(now)
        }
    }

    private mutating func deadlinePassed(_ now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        for (slot, state) in slots.sorted(by: { $0.key < $1.key }) {
            guard let instant = state.restartAt, instant <= now else { continue }
            slots[slot]?.restartAt = nil
            if phase == .running { actions.append(.startWorker(slot)) }
        }
        guard let phaseDeadline, phaseDeadline <= now else { return actions }
        switch phase {
        case .draining: actions += terminate(now)
        case .terminating: actions += kill()
        case .finishing(let child):
            casualties.append(Casualty(child: child, status: .exited(0)))
            actions += terminate(now)
        case .running, .stopping, .killing: self.phaseDeadline = nil
        }
        return actions
    }

    /// Whether nothing has gone wrong for good so far.
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
            enter(.stopping, until: nil)
            return [.interruptCoordinator]
        case .endAtOnce:
            guard phase != .killing else { return [] }
            wasKilledBySignal = isUndisturbed
            return kill()
        }
    }

    /// No process is started again from here on.
    private mutating func enter(_ phase: Phase, until deadline: ContinuousClock.Instant?) {
        self.phase = phase
        phaseDeadline = deadline
        for slot in slots.keys { slots[slot]?.restartAt = nil }
    }

    private mutating func ended(
        _ child: Child, _ status: ProcessEnd, _ now: ContinuousClock.Instant
    ) -> [Action] {
        living.remove(child)
        if child == .coordinator {
            // A coordinator that ends by itself has settled the run; one that was killed has not.
            // If it had not announced its address yet, no worker could find a successor.
            if case .signalled = status, phase == .running, !isSpawning, !slots.isEmpty,
                isReplaceable(now)
            {
                living.insert(.coordinator)
                return [.startCoordinator]
            }
            coordinatorStatus = status
        }
        // Ends that this supervision brought about itself say nothing.
        guard phase != .terminating, phase != .killing else { return [] }
        if case .worker(let slot) = child, phase == .running, !status.isSuccess,
            !isForGood(status, slot)
        {
            scheduleRestart(slot, now)
            return []
        }
        if !status.isSuccess { casualties.append(Casualty(child: child, status: status)) }
        if phase != .draining, child == .coordinator || (!status.isSuccess && phase == .running) {
            enter(.draining, until: now + Self.drainTime)
        } else if phase == .running, living.subtracting([.coordinator]).isEmpty,
            slots.values.allSatisfy({ $0.restartAt == nil && !$0.hasJoined })
        {
            enter(.finishing(child), until: now + Self.finishingTime)
        }
        return []
    }

    private mutating func isReplaceable(_ now: ContinuousClock.Instant) -> Bool {
        coordinatorLosses = coordinatorLosses.filter { now - $0 < .seconds(10) } + [now]
        return coordinatorLosses.count <= Self.coordinatorLossLimit
    }

    /// Whether another start would end the same way: the worker cannot read its configuration or
    /// its data, or its program or host failed before it joined the run.
    private func isForGood(_ status: ProcessEnd, _ slot: Int) -> Bool {
        guard case .exited(let code) = status else { return false }
        if [.usage, .data].contains(status.exitCode) || [126, 127].contains(code) { return true }
        // ssh's own failures, and a worker that was refused.
        return (status.exitCode == .failed || code == 255) && slots[slot]?.hasJoined != true
    }

    private mutating func scheduleRestart(_ slot: Int, _ now: ContinuousClock.Instant) {
        guard var state = slots[slot] else { return }
        if now - state.startedAt >= Self.longLife { state.lossCount = 0 }
        var pause = Duration.zero
        if state.lossCount > 0 {
            pause = Self.firstPause
            for _ in 1..<min(state.lossCount, 16) { pause = min(pause * 2, Self.longestPause) }
        }
        state.lossCount += 1
        state.restartAt = now + pause
        slots[slot] = state
    }

    private mutating func terminate(_ now: ContinuousClock.Instant) -> [Action] {
        enter(.terminating, until: now + Self.terminationTime)
        return [.terminateAll]
    }

    private mutating func kill() -> [Action] {
        enter(.killing, until: nil)
        return [.killAll]
    }

    /// The end that explains the others if the coordinator has not said what was wrong. A death by
    /// a signal comes before a child that gave up, and a worker's own status before "peers lost",
    /// which is what the other workers report after a failure.
    package var firstCause: Casualty? {
        casualties.first { if case .signalled = $0.status { true } else { false } }
            ?? casualties.first { $0.child != .coordinator && $0.status.exitCode != .peersLost }
            ?? casualties.first { $0.child == .coordinator && $0.status.exitCode != .peersLost }
            ?? casualties.first
    }
}
