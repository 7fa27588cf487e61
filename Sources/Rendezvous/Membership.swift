// Who takes part in the run: a state machine without sockets, threads or a clock of its own.
// Events go in with the present instant, actions come out, and whoever owns the sockets performs
// them; so every transition can be tested with made-up instants.
//
//     gathering --all places taken, one arithmetic, all prepared--> preparing
//                        .------------------------------------------^  |
//                        |  all members have left the ring             | all ready
//                        |                                             v
//                   regrouping <--a member is lost, comes or goes-- running --all finished--> ending
//                        |                                                                      |
//                        | no member has the state any more                                     v
//                        v                                                                    over
//                     waiting --workers have come back--> preparing
//
// A set of members that trains together is a *generation*: a number, a rank per member and a deal
// of the replicas. Steps need no coordinator; it is asked when the set has to change. Then all
// members leave the ring, say which step they have committed and which gradients of the next one
// they hold, and the next generation opens with a deal that computes the lost replicas only. Members
// are at the same step or one behind, because a step needs everybody: those behind get the reduced
// gradient of that step from a peer, newcomers the whole state. Only when nobody has a state any more
// is the run's last checkpoint needed.
//
// The halves of the machine: Membership+Joining (who may take part), Membership+Generations (opening,
// regrouping, losing), this file (the phases, the clock, the end).

import ExitCodes
import WireFormat

/// A worker's connection, as the owner of the sockets numbers it.
package struct MemberID: Hashable, Sendable, Comparable {
    package let number: Int

    package init(_ number: Int) {
        self.number = number
    }

    package static func < (first: MemberID, second: MemberID) -> Bool {
        first.number < second.number
    }
}

/// The membership of one run.
package struct Membership: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package let settings: MembershipSettings
    package internal(set) var phase: Phase
    /// The open generation; nil before the first.
    package internal(set) var generation: GenerationDescription?
    /// Why the run stops after the current step; nil while nobody has asked for that.
    package internal(set) var stopReason: String?
    /// Connected workers that have been welcomed.
    var members: [MemberID: Member] = [:]
    /// The level that workers were asked to restart with, when they differed.
    var settledArithmetic: String?
    var lastRefusal: String?
    /// Since when nobody trains; nil while running.
    var disturbedSince: Instant?
    /// Whether the members of the open generation were asked to leave after the step.
    var isPauseRequested = false
    /// Until when members that all want to leave wait for a newcomer's data; nil while they do not.
    var newcomerDeadline: Instant?
    /// The step after which the run can be restored.
    var savedStep: Int
    /// The steps at which the worker of a place was lost, and how often in a row.
    var losses: [Int: (step: Int, count: Int)] = [:]
    /// The last change of the open generation's deal.
    var announcedDeal: DealChange?
    /// A better deal that was seen the last time.
    var wantedDeal: ReplicaDeal?
    var lastDealNumber = 0
    var nextDealing: Instant
    /// Why a member last left its ring.
    var lastCause: String?
    /// Generations in a row that broke before all members were ready.
    var fruitlessCount = 0
    /// The number of the last generation that was opened.
    var lastNumber: UInt32 = 0
    /// Workers of another coordinator's generation that have not come back: rank by key.
    var expected: [String: Int] = [:]
    /// Workers of the open generation whose connection to here was lost, and who may live on: rank by key.
    var departed: [String: Int] = [:]
    /// The last generation whose ring did not come to stand.
    var failedRing: UInt32 = 0

    /// Of those who have been asked to leave: a third of the 30 s that Slurm and Kubernetes give between
    /// the request and the end.
    package static let newcomerPatience = Duration.seconds(10)

    package enum Phase: Hashable, Sendable {
        /// The workers of the open generation are expected back: they were another coordinator's, or the
        /// connections to all of them are lost.
        case attaching(until: Instant)
        /// Places are free, or workers read their data.
        case gathering(until: Instant)
        /// No worker has the state; new ones are waited for, further ones until `openAt`.
        case waiting(until: Instant, openAt: Instant?)
        /// A generation is open; its workers connect their ring and take over the state.
        case preparing(until: Instant)
        case running
        /// Members leave the ring: at once if it is broken, else after the step.
        case regrouping(until: Instant, isBroken: Bool)
        /// The outcome is settled; workers are told and may leave.
        case ending(until: Instant, RunOutcome)
        case over(RunOutcome)
    }

    /// - Precondition: `settings.problem` is nil.
    package init(settings: MembershipSettings, now: Instant) {
        precondition(settings.problem == nil, settings.problem ?? "")
        self.settings = settings
        savedStep = settings.startStep
        nextDealing = now
        phase = .gathering(until: now + settings.startTimeout)
    }

    /// Takes one event at the instant `now` and answers with what must be done, in order.
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
        case .running: earliest = newcomerDeadline
        case .over: return nil
        }
        if case .ending = phase { return earliest }
        for member in members.values {
            let deadline = member.lastHeard + settings.heartbeatTimeout
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    /// The connected workers, in the order of their places.
    package var roster: [WorkerDescription] { bySlot.map(\.description) }

    /// The member with a rank in the open generation.
    package func member(withRank rank: Int) -> MemberID? {
        members.first { $0.value.rank == rank }?.key
    }

    var connected: [MemberID] { members.keys.sorted() }

    var bySlot: [Member] { members.values.sorted { $0.slot < $1.slot } }

    /// The members of the open generation that are still there, by rank.
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

    /// What was waited for while the coordinator slept had no chance to come.
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
                .peersLost, MembershipWords.startDeadline(settings, present: bySlot, lastRefusal),
                now)
        case .waiting(let until, nil) where now >= until:
            return fail(.peersLost, MembershipWords.nobodyCame(settings, lastRefusal), now)
        case .preparing(let until) where now >= until:
            let late = ring.filter { $0.ready == nil }
            if generation?.number == 1 {
                return fail(.peersLost, MembershipWords.notReady(settings, late: late), now)
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
        members[id]?.finished = report
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
        if let difference = MembershipWords.difference(of: ends) {
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
            return fail(.interrupted, MembershipWords.stoppedWithoutWorkers(reason), now)
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
