// Workers that come back: another coordinator is gone and this one takes over, or all connections
// to the workers have broken. They are still training, or wait in a broken ring; they call again
// and say where they stand. Those that have not come back in time are lost; what the others need
// then is decided as after any loss.

import WireFormat

extension Membership {
    /// A membership that takes over the open generation of another coordinator.
    package init(settings: MembershipSettings, journal: MembershipJournal, now: Instant) {
        self.init(settings: settings, now: now)
        phase = .attaching(until: now + settings.attachTimeout)
        var taken = CurrentGeneration(
            GenerationDescription(
                number: journal.generation, deal: journal.deal,
                workers: journal.members.enumerated().map { rank, entry in
                    WorkerDescription(
                        rank: rank, slot: entry.slot, hostName: entry.hostName,
                        processID: entry.processID, arithmetic: journal.arithmetic)
                }, startStep: journal.startStep, arithmetic: journal.arithmetic,
                // The journal does not say; this one makes later decisions the most careful.
                transfer: .state), nextDealing: now)
        taken.expected = Dictionary(
            journal.members.enumerated().map { ($0.element.key, $0.offset) },
            uniquingKeysWith: { first, _ in first })
        current = taken
        lastDealNumber = journal.changes?.map(\.number).max() ?? 0
    }

    /// Takes a worker of the open generation back; nil for a newcomer.
    mutating func attached(_ id: MemberID, _ hello: WorkerHello, _ now: Instant) -> [Action]? {
        guard case .attaching = phase, let generation, let standing = hello.standing,
            let rank = current?.expected.removeValue(forKey: hello.key)
        else { return nil }
        var member = Member(
            id: id, hello: hello, slot: generation.workers[rank].slot, now: now)
        member.isPrepared = true
        if standing.generation == generation.number {
            member.part = .init(
                rank: rank, ready: standing.ready, halted: standing.halted,
                finished: standing.finished)
        } else {
            // It has not heard of the open generation and waits in the one before.
            member.part = .init(
                rank: rank, halted: standing.halted ?? standing.finished.map(HaltReport.init))
            guard member.halted != nil else { return nil }
        }
        members[id] = member
        let stop = stopReason.map { [Action.stop([id], reason: $0)] } ?? []
        return [.attach(id, member.description)] + stop
    }

    /// The last of the open generation's connections is lost, but some of its workers may still
    /// live.
    mutating func expectBack(_ now: Instant) {
        let connected = Set(members.values.map(\.hello.key))
        let departed = current?.departed ?? [:]
        current?.expected = departed.filter { !connected.contains($0.key) }
        current?.departed = [:]
        disturb(now)
        phase = .attaching(until: now + settings.attachTimeout)
    }

    /// A newcomer for a slot whose worker is expected back: the process that started it knows that
    /// the other is gone.
    mutating func stopExpecting(slot: Int?) {
        guard let slot, let current else { return }
        self.current?.expected = current.expected.filter { _, rank in
            current.description.workers[rank].slot != slot
        }
    }

    /// Goes on once all workers are back, or the missing ones are given up.
    mutating func endAttaching(_ now: Instant) -> [Action] {
        guard case .attaching(let until) = phase, let current else { return [] }
        let generation = current.description
        let newcomers = members.values.filter { $0.rank == nil && $0.isPrepared }.count
        let isReplaced = ring.isEmpty && newcomers >= settings.workerCount
        guard current.expected.isEmpty || isReplaced || now >= until else { return [] }
        let missing = current.expected
        self.current?.expected = [:]
        guard !ring.isEmpty else {
            // No worker is left of that generation: the run goes on from the last checkpoint with
            // the workers that come. Some may have left for good, so that there may be fewer than
            // at the start.
            disturb(now)
            if let stopReason {
                return fail(.interrupted, MembershipMessages.stoppedWithoutWorkers(stopReason), now)
            }
            phase = .waiting(until: now + settings.startTimeout, openAt: nil)
            return [.note(MembershipMessages.noWorkerLeft(savedStep: savedStep))]
                + openAfterReturn(now)
        }
        let isWhole = ring.count == generation.workers.count
        if isWhole { recovery.since = nil } else { disturb(now) }
        var actions: [Action] = missing.values.sorted().map { rank in
            .note(
                "lost \(MembershipMessages.name(generation.workers[rank])): it has not come back to "
                    + "the coordinator")
        }
        actions.append(
            .note(
                "generation \(generation.number) goes on: \(ring.count) of"
                    + " \(generation.workers.count) workers are back"))
        // The last messages of those that had finished may be lost, with the model among them: they
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
    /// A worker that has done its part, as one that waits at that step.
    fileprivate init(_ finished: FinishedReport) {
        self.init(
            generation: 0, step: finished.step, hasState: true, keptReplicas: [], cause: nil,
            suspect: nil)
    }
}
