// Decides who may take part, and when the first generation opens.

import WireFormat

extension Membership {
    mutating func joined(_ id: MemberID, _ hello: WorkerHello, _ now: Instant) -> [Action] {
        if let actions = attached(id, hello, now) { return actions }
        if let refusal = refusal(for: hello) {
            lastRefusal = refusal.message
            return [
                .refuse(id, refusal),
                .note("refused \(MembershipMessages.name(hello)): \(refusal.message)"),
            ]
        }
        if let wanted = boundArithmetic ?? settledArithmetic, hello.arithmetic != wanted,
            highestLevel(hello) >= level(wanted)
        {
            return restart([(id, hello)], with: wanted)
        }
        stopExpecting(slot: hello.slot)
        let member = Member(id: id, hello: hello, slot: freeSlot(for: hello.slot), now: now)
        members[id] = member
        return [.welcome(id, member.description)] + settleArithmetic()
    }

    /// The level that the run's state was made with.
    private var boundArithmetic: String? {
        generation?.arithmetic ?? settings.requiredArithmetic
    }

    private func refusal(for hello: WorkerHello) -> Refusal? {
        if hello.productVersion != settings.productVersion
            || hello.protocolVersion != ControlProtocol.version
        {
            return MembershipMessages.versionMismatch(hello, settings)
        }
        if let token = settings.joinToken, hello.token != token {
            return Refusal(
                reason: .wrongToken, message: "the worker does not know the run's token")
        }
        if isEnding { return Refusal(reason: .runOver, message: "the run is ending") }
        if stopReason != nil { return Refusal(reason: .runOver, message: "the run is stopping") }
        // The slot of a worker that is expected back is taken, unless this worker comes for it.
        let awaited = expectedSlots.filter { $0 != hello.slot }
        if members.count + awaited.count >= settings.replicaCount {
            return MembershipMessages.runFull(settings)
        }
        let isKnown = settings.arithmeticLevels.contains(hello.arithmetic)
        if !isKnown || highestLevel(hello) < boundArithmetic.map(level) ?? 0 {
            return MembershipMessages.arithmeticMismatch(hello, settings, bound: boundArithmetic)
        }
        return nil
    }

    private func level(_ arithmetic: String) -> Int {
        settings.arithmeticLevels.firstIndex(of: arithmetic) ?? 0
    }

    private func highestLevel(_ hello: WorkerHello) -> Int {
        max(level(hello.arithmetic), hello.highestArithmetic.map(level) ?? 0)
    }

    /// The slots of the workers that are expected back.
    private var expectedSlots: [Int] {
        guard let current else { return [] }
        return current.expected.values.map { current.description.workers[$0].slot }
    }

    /// The slot asked for, if it is free, or the first free one.
    private func freeSlot(for wanted: Int?) -> Int {
        let taken = Set(members.values.map(\.slot) + expectedSlots)
        if let wanted, wanted < settings.replicaCount, !taken.contains(wanted) { return wanted }
        return (0..<settings.replicaCount).first { !taken.contains($0) } ?? 0
    }

    private func restart(
        _ workers: [(MemberID, WorkerHello)], with arithmetic: String
    ) -> [Action] {
        workers.flatMap { id, hello in
            [
                Action.restart(id, arithmetic: arithmetic),
                .note(
                    "\(MembershipMessages.name(hello)) runs \(hello.arithmetic); it starts anew "
                        + "with \(arithmetic), which all workers have"),
            ]
        }
    }

    /// Once every slot is taken: workers that run another level than the common one start anew.
    private mutating func settleArithmetic() -> [Action] {
        guard case .gathering = phase, members.count >= settings.workerCount else { return [] }
        let arithmetic = commonArithmetic
        let others = members.values.filter { $0.hello.arithmetic != arithmetic }.sorted {
            $0.id < $1.id
        }
        guard !others.isEmpty else { return [] }
        settledArithmetic = arithmetic
        for member in others { members[member.id] = nil }
        return restart(others.map { ($0.id, $0.hello) }, with: arithmetic)
    }

    /// The highest level that a worker prefers, as far as all of them can run it: a worker that
    /// came with less than it can run loses little by going up; one that came with more loses much
    /// by going down.
    var commonArithmetic: String {
        let preferred = members.values.map { level($0.hello.arithmetic) }.max() ?? 0
        let possible = members.values.map { highestLevel($0.hello) }.min() ?? 0
        return settings.arithmeticLevels[min(preferred, possible)]
    }

    /// Opens the first generation once every slot has a worker that has read its data.
    mutating func openFirst(_ now: Instant) -> [Action] {
        guard members.count >= settings.workerCount,
            members.values.allSatisfy({
                $0.isPrepared && $0.hello.arithmetic == commonArithmetic
            })
        else { return [] }
        return openNext(now)
    }

    /// After the loss of all workers: opens with those that are back, a moment after the first.
    mutating func openAfterReturn(_ now: Instant) -> [Action] {
        guard case .waiting(let until, let openAt) = phase else { return [] }
        let prepared = members.values.filter(\.isPrepared).count
        if prepared > 0, prepared >= settings.workerCount { return openNext(now) }
        guard let openAt else {
            if prepared > 0 { phase = .waiting(until: until, openAt: now + settings.returnGrace) }
            return []
        }
        if prepared == 0 {
            phase = .waiting(until: until, openAt: nil)
            return []
        }
        return now >= openAt ? openNext(now) : []
    }
}
