// What a worker does in a generation, as TrainingLoop and ReplicatedStep do: taking over the state,
// computing what is missing, reducing, committing.

import Rendezvous
import WireFormat

extension SimulatedWorker {
    // MARK: - Leaving

    func ringFailed(_ ring: SimulatedRing, _ failure: RingFailure) {
        guard let part, part.ring === ring else { return }
        if part.isComputing {
            part.failure = part.failure ?? failure
            // Its links close at once; it looks at them when the replicas are computed.
            ring.leave(part.assignment.rank, isAbrupt: true)
        } else {
            leaveRing(failure)
        }
    }

    /// Leaves the ring because it broke, or because a pause was agreed on.
    private func leaveRing(_ failure: RingFailure?) {
        guard let part else { return }
        onState = nil
        onLink = nil
        part.ring.leave(part.assignment.rank, isAbrupt: failure != nil)
        self.part = nil
        let computed = kept.filter { $0.value.step == step }.keys.sorted()
        let report = HaltReport(
            generation: part.assignment.generation, step: step, hasState: hasWholeState,
            keptReplicas: hasWholeState ? computed : [], cause: failure?.reason,
            suspect: failure?.suspect)
        sendKept({ $0.halted = report }, .halted(report))
        awaitNext()
    }

    private func take(
        _ operation: SimulatedRing.Operation, _ contribution: SimulatedRing.Contribution,
        _ part: Part, then: @escaping ([SimulatedRing.Contribution]) -> Void
    ) {
        if let failure = part.failure { return leaveRing(failure) }
        part.ring.enter(part.assignment.rank, operation, contribution) { [weak self] all in
            guard let self, self.part === part else { return }
            then(all)
        }
    }

    // MARK: - Entering

    func enter() {
        guard let part else { return }
        let assignment = part.assignment
        kept = kept.filter { part.range.contains($0.key) }
        record = assignment.record
        pendingCount = 0
        let start = assignment.startStep
        let isRoot = assignment.rank == assignment.root
        let operation = SimulatedRing.Operation.broadcast(step: start, root: assignment.root)
        switch assignment.transfer {
        case .none: beginSteps(part)
        case .gradient:
            let parity = (start - 1) & 1
            let value = reduced[parity] ?? 0xBAD
            if step == start - 1 { reduced[parity] = nil }
            take(operation, .init(state: value), part) { [self] all in
                reduced[parity] = all[0].state
                if step == start - 1 { commit(all[0].state, part) }
                beginSteps(part)
            }
        case .state:
            if step != start || !hasWholeState {
                hasWholeState = false
                kept = [:]
            }
            guard isRoot, assignment.stateFollows else { return takeState(operation, part) }
            if restored != nil { return takeState(operation, part) }
            onState = { [self] in takeState(operation, part) }
        }
    }

    private func takeState(_ operation: SimulatedRing.Operation, _ part: Part) {
        if part.assignment.stateFollows, let restored { state = restored }
        take(operation, .init(state: state), part) { [self] all in
            state = all[0].state
            step = part.assignment.startStep
            hasWholeState = true
            beginSteps(part)
        }
    }

    private func beginSteps(_ part: Part) {
        let assignment = part.assignment
        history.removeAll { $0 > step }
        if let known = evaluated, known > step { evaluated = nil }
        if assignment.rank == assignment.root { repeatReports(after: assignment.record) }
        if step != assignment.startStep {
            simulation.violation("\(name) is at step \(step), not \(assignment.startStep)")
        }
        let report = ReadyReport(
            generation: assignment.generation, step: step, weightsDigest: "\(state)")
        sendKept({ $0.ready = report }, .ready(report))
        if step > 0 { afterStep(part) } else { nextStep(part) }
    }

    // MARK: - Steps

    private func nextStep(_ part: Part) {
        guard step < simulation.totalSteps else { return finish(stopped: false, part) }
        let stop = stopRequested
        let pause = pausedGeneration >= part.assignment.generation
        let missing = part.range.filter { kept[$0]?.step != step }
        compute(missing[...], part) { [self] in reduce(part, stop: stop, pause: pause) }
    }

    private func compute(_ missing: ArraySlice<Int>, _ part: Part, then: @escaping () -> Void) {
        guard let replica = missing.first else {
            part.isComputing = false
            if let failure = part.failure { return leaveRing(failure) }
            return then()
        }
        part.isComputing = true
        after(simulation.random.duration(secondsPerReplica / 2, secondsPerReplica)) { [self] in
            guard self.part === part else { return }
            kept[replica] = (
                step, Reference.gradient(state: state, step: step, replica: replica)
            )
            simulation.computedCount += 1
            compute(missing.dropFirst(), part, then: then)
        }
    }

    private func reduce(_ part: Part, stop: Bool, pause: Bool) {
        let gradients = part.range.map { (replica: $0, value: kept[$0]?.value ?? 0) }
        // The buffer of the step before the last is overwritten from here on.
        reduced[step & 1] = nil
        let own = SimulatedRing.Contribution(
            gradients: gradients, step: step, stop: stop, pause: pause)
        take(.reduce(step: step), own, part) { [self] all in
            simulation.check(all, at: step, in: part.ring)
            let sum = Reference.sum(all.flatMap { $0.gradients.map(\.value) })
            reduced[step & 1] = sum
            commit(sum, part)
            guard step < simulation.totalSteps else { return afterStep(part) }
            if all.contains(where: \.stop) { return finish(stopped: true, part) }
            if all.contains(where: \.pause) {
                flush()
                return leaveRing(nil)
            }
            afterStep(part)
        }
    }

    private func commit(_ sum: UInt64, _ part: Part) {
        state = Reference.committed(state, sum)
        step += 1
        simulation.committed(self, part.ring)
        history.append(step)
        guard part.assignment.rank == 0 else { return }
        pendingCount += 1
        if let record = missingRecord {
            missingRecord = nil
            repeatReports(after: record)
        } else if simulation.now - lastSending >= 100_000 {
            flush()
        }
    }

    private func flush() {
        lastSending = simulation.now
        guard let link, pendingCount > 0 else { return }
        link.up(.steps(history.suffix(pendingCount)))
        pendingCount = 0
    }

    private func repeatReports(after record: RecordPosition) {
        guard let link else { return }
        let missing = history.filter { $0 > record.reportedStep }
        if !missing.isEmpty {
            link.up(.steps(missing))
            pendingCount = 0
        }
        if let evaluated, evaluated > record.evaluatedStep { link.up(.evaluation(step: evaluated)) }
    }

    /// Evaluation and checkpoints that are due.
    private func afterStep(_ part: Part) {
        let isLast = step == simulation.totalSteps
        guard isLast || step % 7 == 0, record.evaluatedStep < step else {
            return saveIfDue(part)
        }
        flush()
        take(.evaluate(step: step), .init(step: step), part) { [self] _ in
            evaluated = step
            record.evaluatedStep = step
            if part.assignment.rank == 0 { link?.up(.evaluation(step: step)) }
            saveIfDue(part)
        }
    }

    private func saveIfDue(_ part: Part) {
        if step < simulation.totalSteps, step % simulation.checkpointInterval == 0,
            record.checkpointStep < step
        {
            if part.assignment.rank == 0 {
                flush()
                link?.up(.checkpoint(step: step, state: state))
            }
            record.checkpointStep = step
        }
        nextStep(part)
    }

    private func finish(stopped: Bool, _ part: Part) {
        flush()
        if part.assignment.rank == 0 {
            if wasExpelled { return leaveRing(nil) }
            guard let link else {
                onLink = { [self] in
                    if self.part === part { finish(stopped: stopped, part) }
                }
                return
            }
            link.up(.checkpoint(step: step, state: state))
        }
        let report = FinishedReport(
            step: step, epoch: 1, weightsDigest: "\(state)", stopped: stopped, peakResidentBytes: 1)
        part.ring.leave(part.assignment.rank, isAbrupt: false)
        self.part = nil
        sendKept({ $0.finished = report }, .finished(report))
        awaitNext()
    }
}
