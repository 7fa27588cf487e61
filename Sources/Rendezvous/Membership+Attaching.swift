// Workers without a coordinator: it is gone and this one takes its place, or it lives and all connections to
// them have broken. They are still training, or wait in a broken ring; they call again and say
// where they stand. Those who have not come back in time are lost; what the others need then is
// decided as after any loss.

import WireFormat

extension Membership {
    /// A membership that takes over the open generation of another coordinator.
    package init(settings: MembershipSettings, journal: MembershipJournal, now: Instant) {
        self.init(settings: settings, now: now)
        phase = .attaching(until: now + settings.attachTimeout)
        generation = GenerationDescription(
            number: journal.generation, deal: journal.deal,
            workers: journal.members.enumerated().map { rank, entry in
                WorkerDescription(
                    rank: rank, slot: entry.slot, hostName: entry.hostName,
                    processID: entry.processID, arithmetic: journal.arithmetic)
            }, startStep: journal.startStep, arithmetic: journal.arithmetic,
            // Not known; the one from which the most care follows.
            transfer: .state)
        lastNumber = journal.generation
        lastDealNumber = journal.changes?.map(\.number).max() ?? 0
        expected = Dictionary(
            journal.members.enumerated().map { ($0.element.key, $0.offset) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Takes a worker of the open generation back; nil for a newcomer.
    mutating func attached(_ id: MemberID, _ hello: WorkerHello, _ now: Instant) -> [Action]? {
        guard case .attaching = phase, let generation, let standing = hello.standing,
            let rank = expected[hello.key]
        else { return nil }
        expected[hello.key] = nil
        var member = Member(
            id: id, hello: hello, slot: generation.workers[rank].slot, now: now)
        member.isPrepared = true
        member.rank = rank
        if standing.generation == generation.number {
            member.ready = standing.ready
            member.halted = standing.halted
            member.finished = standing.finished
        } else {
            // It never heard of the open generation and waits in the one before.
            member.halted = standing.halted ?? standing.finished.map(HaltReport.init)
        }
        guard standing.generation == generation.number || member.halted != nil else { return nil }
        members[id] = member
        let stop = stopReason.map { [Action.stop([id], reason: $0)] } ?? []
        return [.attach(id, member.description)] + stop
    }

    /// The last of the open generation's workers is lost, but not all of them need be gone.
    mutating func expectBack(_ now: Instant) {
        let connected = Set(members.values.map(\.hello.key))
        expected = departed.filter { !connected.contains($0.key) }
        departed = [:]
        disturbedSince = disturbedSince ?? now
        phase = .attaching(until: now + settings.attachTimeout)
    }

    /// A newcomer for a place that somebody is expected back in: whoever started it knows that the other is
    /// gone.
    mutating func stopExpecting(slot: Int?) {
        guard let slot, let generation else { return }
        expected = expected.filter { generation.workers[$0.value].slot != slot }
    }

    /// Goes on once all workers are back, or those who are not are given up.
    mutating func endAttaching(_ now: Instant) -> [Action] {
        guard case .attaching(let until) = phase, let generation else { return [] }
        let newcomers = members.values.filter { $0.rank == nil && $0.isPrepared }.count
        let isReplaced = ring.isEmpty && newcomers >= settings.workerCount
        guard expected.isEmpty || isReplaced || now >= until else { return [] }
        let missing = expected
        expected = [:]
        guard !ring.isEmpty else {
            // Nobody is left of that generation: the last checkpoint is gone on from with those who come.
            // Some may have left for good, so that it need not be as many as at the start.
            disturbedSince = disturbedSince ?? now
            if let stopReason {
                return fail(.interrupted, MembershipWords.stoppedWithoutWorkers(stopReason), now)
            }
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            return [.note(MembershipWords.nobodyLeft(savedStep: savedStep))] + openAfterReturn(now)
        }
        let isWhole = ring.count == generation.workers.count
        disturbedSince = isWhole ? nil : disturbedSince ?? now
        var actions: [Action] = missing.values.sorted().map { rank in
            .note(
                "lost \(MembershipWords.name(generation.workers[rank])): it has not come back to the"
                    + " coordinator")
        }
        actions.append(
            .note(
                "generation \(generation.number) goes on: \(ring.count) of"
                    + " \(generation.workers.count) workers are back"))
        // The last words of those who had finished may be lost, with the model among them: they say and
        // send them again in a generation of their own.
        phase = .running
        if !isWhole || ring.contains(where: \.hasLeftRing) {
            return actions + regroup(isBroken: true, now)
        }
        if ring.contains(where: { $0.ready == nil }) {
            phase = .preparing(until: now + settings.startTimeout)
        }
        return actions
    }
}

extension HaltReport {
    /// A worker that has done its part stands at its end.
    fileprivate init(_ finished: FinishedReport) {
        self.init(
            generation: 0, step: finished.step, hasState: true, keptReplicas: [], cause: nil,
            suspect: nil)
    }
}
