// Who takes part in the run: a state machine without sockets, threads or a clock of its own.
// Events go in with the present instant, actions come out, and whoever owns the sockets performs
// them; so every transition can be tested with made-up instants.
//
//     gathering --all places taken, one arithmetic--> preparing --all ready--> running
//         |                                               |                      |
//         |            a worker says that it lost a peer: |                      |
//         |                                               v                      |
//         |                                            blaming <-----------------+
//         |  start deadline, stop                         | the culprit is known  | all finished
//         v                                               v                      v
//       ending(outcome) <-----------------------------------------------------------
//         | every link closed, or the grace time is over
//         v
//       over(outcome)
//
// A set of members that trains together is a *generation*: a number, a rank per member and a deal
// of the replicas. This version opens one generation and takes the loss of a member for the end
// of the run; `lost` is the one place where opening the next generation among the survivors will
// fit.
//
// Blaming: when a process dies, its neighbours on the ring notice as fast as the coordinator
// does, and their complaint may come first. A worker's report that it lost a peer is therefore
// only a symptom; for a moment the machine waits for the closed link that is the cause, so that
// the run's error names the worker that died and not the one that complained.

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
    package private(set) var phase: Phase
    /// Members by their connection, also those that have left a generation that is still open.
    private(set) var members: [MemberID: Member] = [:]
    /// The number of the open generation; 0 before the first.
    package private(set) var generation: UInt32 = 0
    /// Why the run stops after the current step; nil while nobody has asked for that.
    package private(set) var stopReason: String?
    /// The level that workers were asked to restart with, when they differed.
    private var settledArithmetic: String?
    private var lastRefusal: String?

    package enum Phase: Hashable, Sendable {
        /// Places are free.
        case gathering(until: Instant)
        /// A generation is open; its workers connect their ring and load their state.
        case preparing(until: Instant)
        case running
        /// A worker has lost a peer; which one is about to become known.
        case blaming(until: Instant, symptom: MemberID)
        /// The outcome is settled; workers are told and may leave.
        case ending(until: Instant, RunOutcome)
        case over(RunOutcome)
    }

    /// - Precondition: `settings.problem` is nil.
    package init(settings: MembershipSettings, now: Instant) {
        precondition(settings.problem == nil, settings.problem ?? "")
        self.settings = settings
        phase = .gathering(until: now + settings.startTimeout)
    }

    /// Takes one event at the instant `now` and answers with what must be done, in order.
    package mutating func handle(_ event: Event, now: Instant) -> [Action] {
        if case .over = phase { return [] }
        switch event {
        case .tick: return tick(now)
        case .joined(let id, let hello): return joined(id, hello, now)
        case .heard(let id, let heartbeat): return heard(id, heartbeat, now)
        case .ready(let id, let report): return ready(id, report, now)
        case .finished(let id, let report): return finished(id, report, now)
        case .failed(let id, let report): return failed(id, report, now)
        case .lost(let id, let cause): return lost(id, cause, now)
        case .stopRequested(let reason): return stop(reason, now)
        case .runFailed(let exitCode, let message): return fail(exitCode, message, now)
        }
    }

    /// The next instant at which `tick` may have something to do.
    package var nextDeadline: Instant? {
        var earliest: Instant?
        switch phase {
        case .gathering(let until), .preparing(let until), .blaming(let until, _),
            .ending(let until, _):
            earliest = until
        case .running: break
        case .over: return nil
        }
        if case .ending = phase { return earliest }
        for member in members.values where member.isConnected {
            let deadline = member.lastHeard + settings.heartbeatTimeout
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    /// The members of the open generation in rank order; while gathering, those that have a place.
    package var roster: [WorkerDescription] {
        members.values.map(\.description).sorted { $0.rank < $1.rank }
    }

    /// The member with a rank.
    package func member(withRank rank: Int) -> MemberID? {
        members.first { $0.value.rank == rank }?.key
    }

    private var connected: [MemberID] {
        members.filter(\.value.isConnected).keys.sorted()
    }

    private var byRank: [Member] {
        members.values.sorted { $0.rank < $1.rank }
    }

    // MARK: - Gathering

    private mutating func joined(_ id: MemberID, _ hello: WorkerHello, _ now: Instant) -> [Action] {
        if let refusal = refusal(for: hello) {
            lastRefusal = refusal.message
            return [
                .refuse(id, refusal),
                .note("refused \(MembershipWords.name(hello)): \(refusal.message)"),
            ]
        }
        let wanted = settings.requiredArithmetic ?? settledArithmetic
        if let wanted, level(hello.arithmetic) > level(wanted) {
            return restart([(id, hello)], with: wanted)
        }
        let member = Member(id: id, hello: hello, rank: freeRank(for: hello.slot), now: now)
        members[id] = member
        return [.welcome(id, member.description)] + openIfComplete(now)
    }

    private func refusal(for hello: WorkerHello) -> Refusal? {
        if hello.productVersion != settings.productVersion
            || hello.protocolVersion != ControlProtocol.version
        {
            return MembershipWords.versionMismatch(hello, settings)
        }
        if let token = settings.joinToken, hello.token != token {
            return Refusal(
                reason: .wrongToken, message: "the worker does not know the run's token")
        }
        guard case .gathering = phase else {
            if case .ending = phase {
                return Refusal(reason: .runOver, message: "the run is ending")
            }
            return MembershipWords.runFull(settings)
        }
        if members.count == settings.workerCount { return MembershipWords.runFull(settings) }
        let isKnown = settings.arithmeticLevels.contains(hello.arithmetic)
        let required = settings.requiredArithmetic
        if !isKnown || level(hello.arithmetic) < required.map(level) ?? 0 {
            return MembershipWords.arithmeticMismatch(hello, settings)
        }
        return nil
    }

    private func level(_ arithmetic: String) -> Int {
        settings.arithmeticLevels.firstIndex(of: arithmetic) ?? 0
    }

    private func freeRank(for slot: Int?) -> Int {
        let taken = Set(members.values.map(\.rank))
        if let slot, slot < settings.workerCount, !taken.contains(slot) { return slot }
        return (0..<settings.workerCount).first { !taken.contains($0) } ?? 0
    }

    private func restart(
        _ workers: [(MemberID, WorkerHello)], with arithmetic: String
    ) -> [Action] {
        workers.flatMap { id, hello in
            [
                Action.restart(id, arithmetic: arithmetic),
                .note(
                    "\(MembershipWords.name(hello)) runs \(hello.arithmetic); it starts anew with "
                        + "\(arithmetic), which all workers have"),
            ]
        }
    }

    /// Once every place is taken: settles the arithmetic, then opens the generation.
    private mutating func openIfComplete(_ now: Instant) -> [Action] {
        guard members.count == settings.workerCount else { return [] }
        let lowest = members.values.map { level($0.hello.arithmetic) }.min() ?? 0
        let arithmetic = settings.arithmeticLevels[lowest]
        let higher = members.values.filter { $0.hello.arithmetic != arithmetic }.sorted {
            $0.id < $1.id
        }
        if !higher.isEmpty {
            settledArithmetic = arithmetic
            for member in higher { members[member.id] = nil }
            return restart(higher.map { ($0.id, $0.hello) }, with: arithmetic)
        }
        return openGeneration(arithmetic: arithmetic, now)
    }

    private mutating func openGeneration(arithmetic: String, _ now: Instant) -> [Action] {
        generation += 1
        phase = .preparing(until: now + settings.startTimeout)
        let deal = ReplicaDeal.equal(
            replicaCount: settings.replicaCount, worldSize: members.count)
        return [
            .openGeneration(
                GenerationDescription(
                    number: generation, deal: deal, workers: roster,
                    startStep: settings.startStep, arithmetic: arithmetic),
                members: byRank.map(\.id))
        ]
    }

    // MARK: - Running

    private mutating func heard(
        _ id: MemberID, _ heartbeat: WorkerHeartbeat?, _ now: Instant
    ) -> [Action] {
        members[id]?.lastHeard = now
        if let heartbeat { members[id]?.progress = heartbeat }
        return []
    }

    private mutating func ready(
        _ id: MemberID, _ report: ReadyReport, _ now: Instant
    ) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        guard generation > 0, report.generation == generation, member.ready == nil else {
            return lost(id, .protocolViolation("an unexpected 'ready'"), now)
        }
        members[id]?.ready = report
        members[id]?.lastHeard = now
        guard case .preparing = phase, byRank.allSatisfy({ $0.ready != nil }) else { return [] }
        let states = byRank.compactMap(\.ready).map { "\($0.weightsDigest) at step \($0.step)" }
        if let difference = MembershipWords.difference(of: states) {
            return fail(1, "the workers do not start from the same weights: \(difference)", now)
        }
        phase = .running
        return [.note(MembershipWords.allReady(count: members.count))]
    }

    private mutating func finished(
        _ id: MemberID, _ report: FinishedReport, _ now: Instant
    ) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        guard member.ready != nil, member.finished == nil else {
            return lost(id, .protocolViolation("an unexpected 'finished'"), now)
        }
        members[id]?.finished = report
        members[id]?.lastHeard = now
        let reports = byRank.compactMap(\.finished)
        guard reports.count == members.count, case .running = phase else { return [] }
        let ends = reports.map {
            "\($0.weightsDigest) at step \($0.step)\($0.stopped ? " (stopped)" : "")"
        }
        if let difference = MembershipWords.difference(of: ends) {
            return fail(1, "the workers' weights differ at the end: \(difference)", now)
        }
        var summary = reports[0]
        summary.peakResidentBytes = reports.map(\.peakResidentBytes).max() ?? 0
        let outcome: RunOutcome = summary.stopped ? .stopped(summary) : .finished(summary)
        phase = .ending(until: now + settings.closingGrace, outcome)
        return [.end(connected)]
    }

    private mutating func stop(_ reason: String, _ now: Instant) -> [Action] {
        guard stopReason == nil, !isEnding else { return [] }
        stopReason = reason
        if case .gathering = phase {
            return fail(130, "\(reason): stopped before the first step", now)
        }
        return [
            .stop(connected, reason: reason),
            .note("\(reason): stopping after the current step"),
        ]
    }

    // MARK: - Losing

    private mutating func failed(
        _ id: MemberID, _ report: FailureReport, _ now: Instant
    ) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        members[id]?.failure = report
        members[id]?.lastHeard = now
        let words = "\(MembershipWords.name(member)) failed: \(report.message)"
        switch phase {
        case .gathering:
            // What one worker cannot read would fail the run in the next phase too: whether it
            // does must not depend on who has joined by now.
            guard report.exitCode != 2, report.exitCode != 3 else {
                return fail(report.exitCode, words, now)
            }
            members[id] = nil
            return [.drop(id), .note(words)]
        case .preparing, .running:
            guard report.exitCode == 4 else { return fail(report.exitCode, words, now) }
            phase = .blaming(until: now + settings.blameGrace, symptom: id)
        case .blaming:
            guard report.exitCode == 4 else { return fail(report.exitCode, words, now) }
        case .ending, .over:
            return []
        }
        // With a complaint from everyone there is nobody left to wait for.
        return byRank.allSatisfy { $0.failure != nil } ? failFromSymptom(now) : [.note(words)]
    }

    private mutating func failFromSymptom(_ now: Instant) -> [Action] {
        guard case .blaming(_, let symptom) = phase, let member = members[symptom] else {
            return []
        }
        return fail(
            4, "\(MembershipWords.name(member)) failed: \(member.failure?.message ?? "")", now)
    }

    private mutating func lost(_ id: MemberID, _ cause: LossCause, _ now: Instant) -> [Action] {
        guard let member = members[id], member.isConnected else { return [] }
        members[id]?.isConnected = false
        let words = MembershipWords.loss(of: member, cause)
        switch phase {
        case .gathering:
            members[id] = nil
            return [.drop(id), .note(words)]
        case .preparing, .running, .blaming:
            // A worker that complained of a peer and then left is not the cause.
            if member.failure != nil { return [.drop(id)] }
            return [.drop(id)] + fail(4, words, now)
        case .ending(_, let outcome):
            return [.drop(id)] + (connected.isEmpty ? conclude(outcome) : [])
        case .over:
            return []
        }
    }

    private mutating func tick(_ now: Instant) -> [Action] {
        switch phase {
        case .ending(let until, let outcome):
            return now >= until ? conclude(outcome) : []
        case .gathering(let until) where now >= until:
            return fail(
                4, MembershipWords.startDeadline(settings, present: roster, lastRefusal), now)
        case .preparing(let until) where now >= until:
            let late = byRank.filter { $0.ready == nil }
            return fail(4, MembershipWords.notReady(settings, late: late), now)
        case .blaming(let until, _) where now >= until:
            return failFromSymptom(now)
        default:
            break
        }
        var actions: [Action] = []
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

    private var isEnding: Bool {
        switch phase {
        case .ending, .over: true
        default: false
        }
    }

    private mutating func fail(
        _ exitCode: Int32, _ message: String, _ now: Instant
    ) -> [Action] {
        guard !isEnding else { return [] }
        let outcome = RunOutcome.failed(exitCode: exitCode, message: message)
        phase = .ending(until: now + settings.closingGrace, outcome)
        let present = connected
        guard !present.isEmpty else { return conclude(outcome) }
        return [.abort(present, FailureReport(exitCode: exitCode, message: message))]
    }

    private mutating func conclude(_ outcome: RunOutcome) -> [Action] {
        phase = .over(outcome)
        return [.conclude(outcome)]
    }
}
