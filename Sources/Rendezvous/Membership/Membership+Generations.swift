// Opens generations, and makes the members leave the ring for the next one.

import ExitCodes
import WireFormat

extension Membership {
    // MARK: - Opening

    /// Opens the next generation with the workers that have left the ring or are prepared to join.
    mutating func openNext(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        // A leaver that is the only one with the last state hands it over in one more generation.
        let lastStep = ring.compactMap(\.stateStep).max()
        let isHeldByOthers = ring.contains { $0.leaveReason == nil && $0.stateStep == lastStep }
        for member in bySlot where member.leaveReason != nil && (isHeldByOthers || lastStep == nil)
        {
            members[member.id] = nil
            actions += [
                .end([member.id]),
                .note("\(MembershipMessages.name(member)) has left: \(member.leaveReason ?? "")"),
            ]
        }
        // A newcomer that had not yet been given the state stands at the beginning, behind what is
        // saved.
        let holders = ring.compactMap(\.stateStep).filter { $0 >= savedStep }
        let isFirst = generation == nil
        if holders.isEmpty, !isFirst { for id in members.keys { members[id]?.part = nil } }
        let next = members.values.filter { $0.isPrepared || $0.rank != nil }
            .sorted { $0.slot < $1.slot }
        if holders.isEmpty, !isFirst, let stopReason {
            // No worker may join any more, and only the last checkpoint is left.
            return actions
                + fail(.interrupted, MembershipMessages.stoppedWithoutWorkers(stopReason), now)
        }
        guard !next.isEmpty, !isFirst || next.count >= settings.workerCount else {
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            disturb(now)
            return actions + [.note(MembershipMessages.noWorkerLeft(savedStep: savedStep))]
        }
        if holders.isEmpty, !isFirst, !isReturnComplete(next.count, now) {
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            return actions + [.note(MembershipMessages.noWorkerLeft(savedStep: savedStep))]
        }
        let description = describe(next, holders: holders)
        current = CurrentGeneration(description, nextDealing: now + Self.dealingInterval)
        for (rank, member) in next.enumerated() { members[member.id]?.part = .init(rank: rank) }
        recovery.fruitlessCount += 1
        guard recovery.fruitlessCount <= Self.fruitlessLimit else {
            return actions
                + fail(
                    .peersLost,
                    MembershipMessages.fruitless(Self.fruitlessLimit, recovery.lastCause), now)
        }
        phase = .preparing(until: now + settings.startTimeout)
        return actions + [.openGeneration(description, members: next.map(\.id))]
    }

    /// Whether the wait for workers after the loss of all of them is over.
    private func isReturnComplete(_ preparedCount: Int, _ now: Instant) -> Bool {
        guard case .waiting(_, let openAt) = phase else { return false }
        return preparedCount >= settings.workerCount || openAt.map { now >= $0 } ?? false
    }

    private func describe(_ next: [Member], holders: [Int]) -> GenerationDescription {
        let step = holders.max() ?? savedStep
        let transfer: StateTransfer
        let root: Int
        if holders.isEmpty {
            transfer = step > 0 ? .state : .none
            root = 0
        } else {
            root = next.firstIndex { $0.stateStep == step } ?? 0
            let states = next.map(\.stateStep)
            // A member that was given its state does not have the gradient that led to it.
            let wasGiven = generation.map { $0.transfer == .state && $0.startStep == step } ?? false
            let isFar = states.contains { $0 == nil || $0 ?? 0 < step - 1 }
            transfer =
                !states.contains { $0 != step }
                ? .none : isFar || wasGiven ? .state : .gradient
        }
        let kept = next.map { member -> Set<Int> in
            guard member.stateStep == step, let halted = member.halted else { return [] }
            return Set(halted.keptReplicas)
        }
        let deal = RecoveryDeal.deal(replicaCount: settings.replicaCount, kept: kept)
        let held = kept.reduce(into: Set<Int>()) { $0.formUnion($1) }
        let used = zip(deal.ranges, kept).reduce(0) { sum, pair in
            sum + pair.0.filter { pair.1.contains($0) }.count
        }
        return GenerationDescription(
            number: (generation?.number ?? 0) + 1, deal: deal,
            workers: next.enumerated().map { rank, member in
                var description = member.description
                description.rank = rank
                return description
            }, startStep: step, arithmetic: generation?.arithmetic ?? commonArithmetic,
            transfer: transfer, root: root, restores: holders.isEmpty && step > 0,
            recomputedCount: held.count - used)
    }

    mutating func ready(_ id: MemberID, _ report: ReadyReport, _ now: Instant) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        // A report of a generation that is over has crossed the request to leave it.
        guard let generation, report.generation >= generation.number else { return [] }
        guard report.generation == generation.number, member.rank != nil, member.ready == nil
        else { return lost(id, .protocolViolation("an unexpected 'ready'"), now) }
        members[id]?.part?.ready = report
        members[id]?.lastHeard = now
        guard case .preparing = phase, ring.count == generation.workers.count,
            ring.allSatisfy({ $0.ready != nil })
        else { return [] }
        let states = ring.compactMap { member in
            member.ready.map { (member.slot, "\($0.weightsDigest) at step \($0.step)") }
        }
        if let difference = MembershipMessages.difference(of: states) {
            return fail(
                .failed, "the workers do not start from the same weights: \(difference)", now)
        }
        phase = .running
        let pause = recovery.since.map { now - $0 }
        recovery = Recovery()
        return [.running(generation, pause: pause)]
    }

    // MARK: - Coming and going

    /// Asks the members to leave the ring after the step, when workers wait to join or to leave.
    mutating func pauseForChange(_ now: Instant) -> [Action] {
        guard stopReason == nil, let current, !current.isPauseRequested else { return [] }
        let leavers = ring.filter { $0.leaveReason != nil }
        let joiners = bySlot.filter { $0.rank == nil && $0.isPrepared && $0.leaveReason == nil }
        guard !leavers.isEmpty || !joiners.isEmpty else { return [] }
        if leavers.count == ring.count, joiners.isEmpty {
            // A newcomer that still reads its data can take over the state, if it does not take too
            // long.
            if bySlot.contains(where: { $0.rank == nil && $0.leaveReason == nil }) {
                let deadline = current.newcomerDeadline ?? now + Self.newcomerPatience
                self.current?.newcomerDeadline = deadline
                if now < deadline { return [] }
            }
            // No worker would have the state: it is saved, and the run can be resumed.
            let last = leavers[0]
            let reason = last.leaveReason ?? "no reason"
            return stop("\(MembershipMessages.name(last)) leaves as the last (\(reason))", now)
        }
        self.current?.isPauseRequested = true
        return [.pause(ring.map(\.id), generation: current.description.number)]
    }

    mutating func leaving(_ id: MemberID, _ request: LeaveRequest, _ now: Instant) -> [Action] {
        guard let member = members[id], member.leaveReason == nil, !isEnding else { return [] }
        guard member.rank != nil else {
            members[id] = nil
            return [
                .end([id]), .note("\(MembershipMessages.name(member)) has left: \(request.reason)"),
            ]
        }
        members[id]?.leaveReason = request.reason
        return []
    }

    // MARK: - Regrouping

    mutating func halted(_ id: MemberID, _ report: HaltReport, _ now: Instant) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        guard let generation, report.generation >= generation.number else { return [] }
        guard report.generation == generation.number, member.rank != nil, !member.hasLeftRing
        else { return lost(id, .protocolViolation("an unexpected 'halted'"), now) }
        members[id]?.part?.halted = report
        members[id]?.lastHeard = now
        if let cause = report.cause { recovery.lastCause = cause }
        if case .preparing = phase, let suspect = report.suspect, report.cause != nil {
            let accused = ring.first { $0.rank == suspect }?.slot ?? -1
            return [
                .note(
                    "\(MembershipMessages.name(member)) cannot join the ring: \(report.cause ?? "")"
                )
            ] + regroup(isBroken: true, now) + cutOff(accused, by: members[id] ?? member, now)
        }
        return regroup(isBroken: report.cause != nil, now)
    }

    /// When the ring cannot be connected twice in a row, the run goes on without the worker that
    /// could not be reached.
    private mutating func cutOff(
        _ accusedSlot: Int, by accuser: Member, _ now: Instant
    ) -> [Action] {
        guard let number = generation?.number else { return [] }
        let isAgain = recovery.failedRing > 0 && recovery.failedRing == number - 1
        recovery.failedRing = number
        guard isAgain, let accused = ring.first(where: { $0.slot == accusedSlot }) else {
            return []
        }
        recovery.failedRing = 0
        // Of two that cannot reach each other, the newcomer has to go, as it has no state to lose.
        let isNewcomer = (accuser.stateStep ?? 0) < generation?.startStep ?? 0
        return lost(isNewcomer ? accuser.id : accused.id, .cutOff, now)
    }

    /// Waits for all members to leave the ring, and makes them do it at once if it is broken.
    mutating func regroup(isBroken: Bool, _ now: Instant) -> [Action] {
        guard let generation, isUnderWay else { return [] }
        // The reports that have come are looked at when all are back.
        if case .attaching = phase { return [] }
        disturb(now)
        var wasBroken = false
        if case .regrouping(_, let isBroken) = phase { wasBroken = isBroken }
        phase = .regrouping(until: now + settings.haltTimeout, isBroken: isBroken || wasBroken)
        guard isBroken, !wasBroken else { return [] }
        let others = ring.filter { !$0.hasLeftRing }.map(\.id)
        return others.isEmpty ? [] : [.halt(others, generation: generation.number)]
    }

    /// Generations in a row that may break before the first step.
    private static let fruitlessLimit = 20
}
