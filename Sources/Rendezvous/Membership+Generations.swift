// Opening generations, and what makes the next one necessary: a worker that is lost, comes or goes.

import ExitCodes
import WireFormat

extension Membership {
    // MARK: - Opening

    /// Opens the next generation with everybody who has left the ring or is prepared to join.
    mutating func openNext(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        // A leaver that alone has the last state hands it over in one more generation.
        let lastStep = ring.compactMap(\.stateStep).max()
        let isHeldByOthers = ring.contains { $0.leaveReason == nil && $0.stateStep == lastStep }
        for member in bySlot where member.leaveReason != nil && (isHeldByOthers || lastStep == nil)
        {
            members[member.id] = nil
            actions += [
                .end([member.id]),
                .note("\(MembershipWords.name(member)) has left: \(member.leaveReason ?? "")"),
            ]
        }
        // A newcomer that had not yet been given the state stands at the beginning, behind what is saved.
        let holders = ring.compactMap(\.stateStep).filter { $0 >= savedStep }
        let isFirst = generation == nil
        if holders.isEmpty, !isFirst { members = members.mapValues(\.withoutPlace) }
        let next = members.values.filter { $0.isPrepared || $0.rank != nil }
            .sorted { $0.slot < $1.slot }
        if holders.isEmpty, !isFirst, let stopReason {
            // Nobody may join any more, and the last checkpoint is all that is left to stop with.
            return actions
                + fail(.interrupted, MembershipWords.stoppedWithoutWorkers(stopReason), now)
        }
        guard !next.isEmpty, !isFirst || next.count >= settings.workerCount else {
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            disturbedSince = disturbedSince ?? now
            return actions + [.note(MembershipWords.nobodyLeft(savedStep: savedStep))]
        }
        if holders.isEmpty, !isFirst, !isReturnComplete(next.count, now) {
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            return actions + [.note(MembershipWords.nobodyLeft(savedStep: savedStep))]
        }
        let description = describe(next, holders: holders)
        generation = description
        lastNumber = description.number
        for (rank, member) in next.enumerated() {
            members[member.id] = member.withoutPlace
            members[member.id]?.rank = rank
        }
        isPauseRequested = false
        newcomerDeadline = nil
        departed = [:]
        announcedDeal = nil
        wantedDeal = nil
        nextDealing = now + Self.dealingInterval
        fruitlessCount += 1
        guard fruitlessCount <= Self.fruitlessLimit else {
            return actions
                + fail(.peersLost, MembershipWords.fruitless(fruitlessCount - 1, lastCause), now)
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
            // Whoever was only given its state has no gradient that led to it.
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
            number: lastNumber + 1, deal: deal,
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
        members[id]?.ready = report
        members[id]?.lastHeard = now
        guard case .preparing = phase, ring.count == generation.workers.count,
            ring.allSatisfy({ $0.ready != nil })
        else { return [] }
        let states = ring.compactMap { member in
            member.ready.map { (member.slot, "\($0.weightsDigest) at step \($0.step)") }
        }
        if let difference = MembershipWords.difference(of: states) {
            return fail(
                .failed, "the workers do not start from the same weights: \(difference)", now)
        }
        phase = .running
        fruitlessCount = 0
        let pause = disturbedSince.map { now - $0 }
        disturbedSince = nil
        return [.running(generation, pause: pause)]
    }

    // MARK: - Coming and going

    /// Asks the members to leave the ring after the step, for those who wait to join or to go.
    mutating func pauseForChange(_ now: Instant) -> [Action] {
        guard !isPauseRequested, stopReason == nil, let generation else { return [] }
        let leavers = ring.filter { $0.leaveReason != nil }
        let joiners = bySlot.filter { $0.rank == nil && $0.isPrepared && $0.leaveReason == nil }
        guard !leavers.isEmpty || !joiners.isEmpty else { return [] }
        if leavers.count == ring.count, joiners.isEmpty {
            // A newcomer that still reads its data can take over the state, if it does not take too long.
            if bySlot.contains(where: { $0.rank == nil && $0.leaveReason == nil }) {
                let deadline = newcomerDeadline ?? now + Self.newcomerPatience
                newcomerDeadline = deadline
                if now < deadline { return [] }
            }
            // Nobody would have the state: it is saved, and the run can be resumed.
            let last = leavers[0]
            return stop(
                "\(MembershipWords.name(last)) leaves as the last (\(last.leaveReason ?? "no reason"))",
                now)
        }
        isPauseRequested = true
        return [.pause(ring.map(\.id), generation: generation.number)]
    }

    mutating func leaving(_ id: MemberID, _ request: LeaveRequest, _ now: Instant) -> [Action] {
        guard let member = members[id], member.leaveReason == nil, !isEnding else { return [] }
        guard member.rank != nil else {
            members[id] = nil
            return [
                .end([id]), .note("\(MembershipWords.name(member)) has left: \(request.reason)"),
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
        members[id]?.halted = report
        members[id]?.lastHeard = now
        if let cause = report.cause { lastCause = cause }
        if case .preparing = phase, let suspect = report.suspect, report.cause != nil {
            let accused = ring.first { $0.rank == suspect }?.slot ?? -1
            return [
                .note(
                    "\(MembershipWords.name(member)) cannot join the ring: \(report.cause ?? "")")
            ] + regroup(isBroken: true, now) + cutOff(accused, by: members[id] ?? member, now)
        }
        return regroup(isBroken: report.cause != nil, now)
    }

    /// A ring that does not come to stand twice in a row goes on without whoever could not be reached.
    private mutating func cutOff(
        _ accusedSlot: Int, by accuser: Member, _ now: Instant
    ) -> [Action] {
        guard let number = generation?.number else { return [] }
        let isAgain = failedRing > 0 && failedRing == number - 1
        failedRing = number
        guard isAgain, let accused = ring.first(where: { $0.slot == accusedSlot }) else {
            return []
        }
        failedRing = 0
        // Of two that cannot reach each other, the one goes that has nothing to lose.
        let isNewcomer = (accuser.stateStep ?? 0) < generation?.startStep ?? 0
        return lost(isNewcomer ? accuser.id : accused.id, .cutOff, now)
    }

    /// Waits for all members to leave the ring, and makes them do it at once if it is broken.
    mutating func regroup(isBroken: Bool, _ now: Instant) -> [Action] {
        guard let generation, isUnderWay else { return [] }
        // What has been said by then is looked at when all are back.
        if case .attaching = phase { return [] }
        disturbedSince = disturbedSince ?? now
        var wasBroken = false
        if case .regrouping(_, let isBroken) = phase { wasBroken = isBroken }
        phase = .regrouping(until: now + settings.haltTimeout, isBroken: isBroken || wasBroken)
        guard isBroken, !wasBroken else { return [] }
        let others = ring.filter { !$0.hasLeftRing }.map(\.id)
        return others.isEmpty ? [] : [.halt(others, generation: generation.number)]
    }

    // MARK: - Losing

    mutating func failed(_ id: MemberID, _ report: FailureReport, _ now: Instant) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        let words = "\(MembershipWords.name(member)) failed: \(report.message)"
        // Lost peers are no fault of its own. What one worker cannot read, or finds to be no number,
        // is the run's affair; of a newcomer to a run that goes well it is its own.
        if report.exitCode == .peersLost || (member.rank == nil && generation != nil) {
            return lost(id, .gaveUp(report.message), now)
        }
        if case .gathering = phase, report.exitCode != .usage, report.exitCode != .data {
            members[id] = nil
            return [.drop(id), .note(words)]
        }
        return fail(report.exitCode, words, now)
    }

    mutating func lost(_ id: MemberID, _ cause: LossCause, _ now: Instant) -> [Action] {
        guard let member = members.removeValue(forKey: id) else { return [] }
        let words = MembershipWords.loss(of: member, cause)
        switch phase {
        case .gathering:
            return [.drop(id), .note(words)]
        case .waiting:
            // Nobody trains meanwhile: whoever is lost here again and again keeps the run from going on.
            return [.drop(id), .note(words)] + (endsTheRun(member, cause, words, now) ?? [])
        case .attaching:
            // It may come back once more, by its key.
            if let rank = member.rank { expected[member.hello.key] = rank }
            return [.drop(id), .note(words)]
        case .preparing, .running, .regrouping:
            let actions: [Action] = [.drop(id), .note(words)]
            guard let rank = member.rank else { return actions }
            if let end = endsTheRun(member, cause, words, now) { return actions + end }
            if cause.isOfTheConnection { departed[member.hello.key] = rank }
            if ring.isEmpty, !departed.isEmpty {
                expectBack(now)
                return actions
            }
            return actions + regroup(isBroken: true, now)
        case .ending(_, let outcome):
            return [.drop(id)] + (members.isEmpty ? conclude(outcome) : [])
        case .over:
            return []
        }
    }

    /// A place whose workers are lost at one step again and again will not get beyond it.
    private mutating func endsTheRun(
        _ member: Member, _ cause: LossCause, _ words: String, _ now: Instant
    ) -> [Action]? {
        switch cause {
        case .connectionClosed, .connectionFailed, .gaveUp: break
        case .silent, .protocolViolation, .notReading, .stuck, .cutOff: return nil
        }
        let step = member.progress?.step ?? generation?.startStep ?? 0
        let before = losses[member.slot]
        let count = before?.step == step ? (before?.count ?? 0) + 1 : 1
        losses[member.slot] = (step, count)
        guard count >= Self.lossLimit else { return nil }
        return fail(
            .peersLost,
            "\(words); that was the \(count). worker in this place lost at step \(step)", now)
    }

    /// Generations in a row that may break before the first step.
    private static let fruitlessLimit = 20
    /// Losses of one place at one step after which the run is given up.
    private static let lossLimit = 3
}
