// Who takes part in the run: a state machine without sockets, threads or a clock of its own. Events
// go in with the present instant, and actions come out that the owner of the sockets performs; so
// every transition can be tested with made-up instants.
//
//    gathering --all slots taken, one arithmetic, all prepared--> preparing
//                       .------------------------------------------^  |
//                       |  all members have left the ring             | all ready
//                       |                                             v
//                  regrouping <--a member is lost, comes or goes-- running --all finished--> ending
//                       |                                                                      |
//                       | no member has the state any more                                     v
//                       v                                                                    over
//                    waiting --workers have come back--> preparing
//
// A set of members that trains together is a *generation*: a number, a rank per member and a deal
// of the replicas. Steps need no coordinator; it is asked when the set has to change. Then all
// members leave the ring, say which step they have committed and which gradients of the next one
// they hold, and the next generation opens with a deal that computes the lost replicas only.
// Members are at the same step or one behind, because a step needs all of them: those behind get
// the reduced gradient of that step from a peer, newcomers the whole state. The run's last
// checkpoint is only needed when no member has a state any more.
//
// The parts of the machine: Membership+Joining (who may take part), Membership+Generations
// (opening, regrouping), Membership+Losses (losing workers), Membership+Dealing (deals that follow
// the speed), Membership+Attaching (taking over from another coordinator), this file (the phases,
// the clock, the end).

import ExitCodes
import WireFormat

/// The membership of one run.
package struct Membership: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package let settings: MembershipSettings
    package internal(set) var phase: Phase
    /// The last generation that was opened; nil before the first.
    var current: CurrentGeneration?
    /// The way back to training; empty while the run trains.
    var recovery = Recovery()
    /// Why the run stops after the current step; nil while it is not to stop.
    package internal(set) var stopReason: String?
    /// Connected workers that have been welcomed.
    var members: [MemberID: Member] = [:]
    /// The level that workers were asked to restart with, when they differed.
    var settledArithmetic: String?
    var lastRefusal: String?
    /// The step after which the run can be restored.
    var savedStep: Int
    /// By slot: the step at which its worker was lost, and how often in a row.
    var losses: [Int: (step: Int, count: Int)] = [:]
    /// The number of the last change of a deal.
    var lastDealNumber = 0

    /// The open generation; nil before the first.
    package var generation: GenerationDescription? { current?.description }

    /// How long members that have all been asked to leave wait for a newcomer's data: a third of
    /// the 30 s that Slurm and Kubernetes give between the request and the end.
    package static let newcomerPatience = Duration.seconds(10)

    package enum Phase: Hashable, Sendable {
        /// The workers of the open generation are expected back: they belong to another
        /// coordinator's generation, or the connections to all of them are lost.
        case attaching(until: Instant)
        /// Slots are free, or workers read their data.
        case gathering(until: Instant)
        /// No worker has the state; new ones are waited for, further ones until `openAt`.
        case waiting(until: Instant, openAt: Instant?)
        /// A generation is open; its workers connect their ring and take over the state.
        case preparing(until: Instant)
        case running
        /// Members leave the ring: at once if it is broken, else after the step.
        case regrouping(until: Instant, isBroken: Bool)
        /// The outcome is settled; workers learn of it and may leave.
        case ending(until: Instant, RunOutcome)
        case over(RunOutcome)
    }

    /// - Precondition: `settings.problem` is nil.
    package init(settings: MembershipSettings, now: Instant) {
        precondition(settings.problem == nil, settings.problem ?? "")
        self.settings = settings
        savedStep = settings.startStep
        phase = .gathering(until: now + settings.startTimeout)
    }

    /// Takes one event at the instant `now` and returns what must be done, in order.
    package mutating func handle(_ event: Event, now: Instant) -> [Action] {
        if case .over = phase { return [] }
        return take(event, now) + settle(now)
    }

    private mutating func take(_ event: Event, _ now: Instant) -> [Action] {
        switch event {
        case .tick: return tick(now)
        case .overslept:
            for id in members.keys { members[id]?.lastHeard = now }
            renewDeadline(now)
            return []
        case .joined(let id, let hello): return joined(id, hello, now)
        case .heard(let id, let heartbeat):
            members[id]?.lastHeard = now
            if let heartbeat { members[id]?.progress = heartbeat }
            return []
        case .prepared(let id):
            members[id]?.lastHeard = now
            members[id]?.isPrepared = true
            return []
        case .ready(let id, let report): return ready(id, report, now)
        case .halted(let id, let report): return halted(id, report, now)
        case .leaving(let id, let request): return leaving(id, request, now)
        case .finished(let id, let report): return finished(id, report, now)
        case .failed(let id, let report): return failed(id, report, now)
        case .lost(let id, let cause): return lost(id, cause, now)
        case .saved(let step):
            savedStep = max(savedStep, step)
            return []
        case .stopRequested(let reason): return stop(reason, now)
        case .runFailed(let exitCode, let message): return fail(exitCode, message, now)
        }
    }

    /// Goes on to the next phase where nothing is left to wait for.
    private mutating func settle(_ now: Instant) -> [Action] {
        switch phase {
        case .attaching: return endAttaching(now)
        case .gathering: return openFirst(now)
        case .waiting: return openAfterReturn(now)
        case .regrouping:
            return ring.allSatisfy(\.hasLeftRing) ? openNext(now) : []
        case .running: return ring.isEmpty ? [] : pauseForChange(now) + dealBySpeed(now)
        case .preparing, .ending, .over: return []
        }
    }

    /// The next instant at which `tick` may have something to do.
    package var nextDeadline: Instant? {
        var earliest: Instant?
        switch phase {
        case .attaching(let until), .gathering(let until), .preparing(let until),
            .regrouping(let until, _), .ending(let until, _):
            earliest = until
        case .waiting(let until, let openAt): earliest = openAt.map { min($0, until) } ?? until
        case .running: earliest = current?.newcomerDeadline
        case .over: return nil
        }
        if case .ending = phase { return earliest }
        for member in members.values {
            let deadline = member.lastHeard + settings.heartbeatTimeout
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    /// The connected workers, in the order of their slots.
    package var roster: [WorkerDescription] { bySlot.map(\.description) }

    /// The member with a rank in the open generation.
    package func member(withRank rank: Int) -> MemberID? {
        members.first { $0.value.rank == rank }?.key
    }

    var connected: [MemberID] { members.keys.sorted() }

    var bySlot: [Member] { members.values.sorted { $0.slot < $1.slot } }

    /// The members of the open generation that are still connected, by rank.
    var ring: [Member] { bySlot.filter { $0.rank != nil } }

    /// Whether a generation is open or about to be replaced.
    var isUnderWay: Bool {
        switch phase {
        case .preparing, .running, .regrouping: true
        case .attaching: true
        case .gathering, .waiting, .ending, .over: false
        }
    }

    var isEnding: Bool {
        switch phase {
        case .ending, .over: true
        default: false
        }
    }

    // MARK: - The clock

    /// A coordinator that did not run for a while gives what it waits for the whole time again.
    private mutating func renewDeadline(_ now: Instant) {
        switch phase {
        case .attaching: phase = .attaching(until: now + settings.attachTimeout)
        case .gathering: phase = .gathering(until: now + settings.startTimeout)
        case .preparing: phase = .preparing(until: now + settings.startTimeout)
        case .waiting(_, let openAt):
            phase = .waiting(until: now + settings.startTimeout, openAt: openAt)
        case .regrouping(_, let isBroken):
            phase = .regrouping(until: now + settings.haltTimeout, isBroken: isBroken)
        case .running, .ending, .over: break
        }
    }

    private mutating func tick(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        switch phase {
        case .ending(let until, let outcome):
            return now >= until ? conclude(outcome) : []
        case .gathering(let until) where now >= until:
            return fail(
                .peersLost,
                MembershipMessages.startDeadline(settings, present: bySlot, lastRefusal), now)
        case .waiting(let until, nil) where now >= until:
            return fail(.peersLost, MembershipMessages.noWorkerCame(settings, lastRefusal), now)
        case .preparing(let until) where now >= until:
            let late = ring.filter { $0.ready == nil }
            if generation?.number == 1 {
                return fail(.peersLost, MembershipMessages.notReady(settings, late: late), now)
            }
            for member in late { actions += lost(member.id, .stuck(settings.startTimeout), now) }
        case .regrouping(let until, _) where now >= until:
            for member in ring where !member.hasLeftRing {
                actions += lost(member.id, .stuck(settings.haltTimeout), now)
            }
        default:
            break
        }
        for id in connected {
            guard let member = members[id] else { continue }
            let silence = now - member.lastHeard
            if silence >= settings.heartbeatTimeout {
                actions += lost(id, .silent(silence), now)
            }
        }
        return actions
    }

    // MARK: - Ending

    private mutating func finished(
        _ id: MemberID, _ report: FinishedReport, _ now: Instant
    ) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        guard member.rank != nil, member.ready != nil, member.finished == nil else {
            return lost(id, .protocolViolation("an unexpected 'finished'"), now)
        }
        members[id]?.part?.finished = report
        members[id]?.lastHeard = now
        guard case .running = phase else { return [] }
        let reports = ring.compactMap(\.finished)
        guard reports.count == generation?.workers.count else { return [] }
        let ends = ring.map { member in
            let report = member.finished ?? report
            return (
                member.slot,
                "\(report.weightsDigest) at step \(report.step)"
                    + (report.stopped ? " (stopped)" : "")
            )
        }
        if let difference = MembershipMessages.difference(of: ends) {
            return fail(.failed, "the workers' weights differ at the end: \(difference)", now)
        }
        var summary = reports[0]
        summary.peakResidentBytes = reports.map(\.peakResidentBytes).max() ?? 0
        let outcome: RunOutcome = summary.stopped ? .stopped(summary) : .finished(summary)
        phase = .ending(until: now + settings.closingGrace, outcome)
        return [.end(connected)]
    }

    mutating func stop(_ reason: String, _ now: Instant) -> [Action] {
        guard stopReason == nil, !isEnding else { return [] }
        stopReason = reason
        switch phase {
        case .gathering:
            return fail(.interrupted, "\(reason): stopped before the first step", now)
        case .waiting:
            return fail(.interrupted, MembershipMessages.stoppedWithoutWorkers(reason), now)
        case .attaching where ring.isEmpty:
            return fail(.interrupted, "\(reason): stopped before the workers were back", now)
        default:
            return [
                .stop(connected, reason: reason),
                .note("\(reason): stopping after the current step"),
            ]
        }
    }

    mutating func fail(_ exitCode: ExitCode, _ message: String, _ now: Instant) -> [Action] {
        guard !isEnding else { return [] }
        let outcome = RunOutcome.failed(exitCode: exitCode, message: message)
        phase = .ending(until: now + settings.closingGrace, outcome)
        let present = connected
        guard !present.isEmpty else { return conclude(outcome) }
        return [.abort(present, FailureReport(exitCode: exitCode, message: message))]
    }

    mutating func conclude(_ outcome: RunOutcome) -> [Action] {
        phase = .over(outcome)
        return [.conclude(outcome)]
    }
}
