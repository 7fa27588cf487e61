// What a worker does in a generation, as TrainingLoop and ReplicatedStep do: taking over the state,
// computing what is missing, reducing, committing.

import Rendezvous
import WireFormat

extension SimulatedWorker {
    // MARK: - Leaving

    func ringFailed(_ ring: SimulatedRing, _ failure: RingFailure) {
        guard let place, place.ring === ring else { return }
        if place.isComputing {
            place.failure = place.failure ?? failure
            // Its links close at once; it looks at them when the replicas are computed.
            ring.leave(place.assignment.rank, isAbrupt: true)
        } else {
            leaveRing(failure)
        }
    }

    /// Leaves the ring because it broke, or because a pause was agreed on.
    private func leaveRing(_ failure: RingFailure?) {
        guard let place else { return }
        onState = nil
        onLink = nil
        place.ring.leave(place.assignment.rank, isAbrupt: failure != nil)
        self.place = nil
        let computed = kept.filter { $0.value.step == step }.keys.sorted()
        let report = HaltReport(
            generation: place.assignment.generation, step: step, hasState: hasWholeState,
            keptReplicas: hasWholeState ? computed : [], cause: failure?.words,
            suspect: failure?.suspect)
        tell({ $0.halted = report }, .halted(report))
        awaitNext()
    }

    private func take(
        _ operation: SimulatedRing.Operation, _ contribution: SimulatedRing.Contribution,
        _ place: Place, then: @escaping ([SimulatedRing.Contribution]) -> Void
    ) {
        if let failure = place.failure { return leaveRing(failure) }
        place.ring.enter(place.assignment.rank, operation, contribution) { [weak self] all in
            guard let self, self.place === place else { return }
            then(all)
        }
    }

    // MARK: - Entering

    func enter() {
        guard let place else { return }
        let assignment = place.assignment
        kept = kept.filter { place.range.contains($0.key) }
        record = assignment.record
        pendingCount = 0
        let start = assignment.startStep
        let isRoot = assignment.rank == assignment.root
        let operation = SimulatedRing.Operation.broadcast(step: start, root: assignment.root)
        switch assignment.transfer {
        case .none: beginSteps(place)
        case .gradient:
            let parity = (start - 1) & 1
            let value = reduced[parity] ?? 0xBAD
            if step == start - 1 { reduced[parity] = nil }
            take(operation, .init(state: value), place) { [self] all in
                reduced[parity] = all[0].state
                if step == start - 1 { commit(all[0].state, place) }
                beginSteps(place)
            }
        case .state:
            if step != start || !hasWholeState {
                hasWholeState = false
                kept = [:]
            }
            guard isRoot, assignment.stateFollows else { return takeState(operation, place) }
            if restored != nil { return takeState(operation, place) }
            onState = { [self] in takeState(operation, place) }
        }
    }

    private func takeState(_ operation: SimulatedRing.Operation, _ place: Place) {
        if place.assignment.stateFollows, let restored { state = restored }
        take(operation, .init(state: state), place) { [self] all in
            state = all[0].state
            step = place.assignment.startStep
            hasWholeState = true
            beginSteps(place)
        }
    }

    private func beginSteps(_ place: Place) {
        let assignment = place.assignment
        history.removeAll { $0 > step }
        if let known = evaluated, known > step { evaluated = nil }
        if assignment.rank == assignment.root { repeatReports(after: assignment.record) }
        if step != assignment.startStep {
            simulation.violation("\(name) is at step \(step), not \(assignment.startStep)")
        }
        let report = ReadyReport(
            generation: assignment.generation, step: step, weightsDigest: "\(state)")
        tell({ $0.ready = report }, .ready(report))
        if step > 0 { afterStep(place) } else { nextStep(place) }
    }

    // MARK: - Steps

    private func nextStep(_ place: Place) {
        guard step < simulation.totalSteps else { return finish(stopped: false, place) }
        let stop = stopRequested
        let pause = pausedGeneration >= place.assignment.generation
        let missing = place.range.filter { kept[$0]?.step != step }
        compute(missing[...], place) { [self] in reduce(place, stop: stop, pause: pause) }
    }

    private func compute(_ missing: ArraySlice<Int>, _ place: Place, then: @escaping () -> Void) {
        guard let replica = missing.first else {
            place.isComputing = false
            if let failure = place.failure { return leaveRing(failure) }
            return then()
        }
        place.isComputing = true
        after(simulation.random.duration(secondsPerReplica / 2, secondsPerReplica)) { [self] in
            guard self.place === place else { return }
            kept[replica] = (
                step, Reference.gradient(state: state, step: step, replica: replica)
            )
            simulation.computedCount += 1
            compute(missing.dropFirst(), place, then: then)
        }
    }

    private func reduce(_ place: Place, stop: Bool, pause: Bool) {
        let gradients = place.range.map { (replica: $0, value: kept[$0]?.value ?? 0) }
        // The buffer of the step before the last is overwritten from here on.
        reduced[step & 1] = nil
        let own = SimulatedRing.Contribution(
            gradients: gradients, step: step, stop: stop, pause: pause)
        take(.reduce(step: step), own, place) { [self] all in
            simulation.check(all, at: step, in: place.ring)
            let sum = Reference.sum(all.flatMap { $0.gradients.map(\.value) })
            reduced[step & 1] = sum
            commit(sum, place)
            guard step < simulation.totalSteps else { return afterStep(place) }
            if all.contains(where: \.stop) { return finish(stopped: true, place) }
            if all.contains(where: \.pause) {
                flush()
                return leaveRing(nil)
            }
            afterStep(place)
        }
    }

    private func commit(_ sum: UInt64, _ place: Place) {
        state = Reference.committed(state, sum)
        step += 1
        simulation.committed(self, place.ring)
        history.append(step)
        guard place.assignment.rank == 0 else { return }
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
    private func afterStep(_ place: Place) {
        let isLast = step == simulation.totalSteps
        guard isLast || step % 7 == 0, record.evaluatedStep < step else {
            return saveIfDue(place)
        }
        flush()
        take(.evaluate(step: step), .init(step: step), place) { [self] _ in
            evaluated = step
            record.evaluatedStep = step
            if place.assignment.rank == 0 { link?.up(.evaluation(step: step)) }
            saveIfDue(place)
        }
    }

    private func saveIfDue(_ place: Place) {
        if step < simulation.totalSteps, step % simulation.checkpointInterval == 0,
            record.checkpointStep < step
        {
            if place.assignment.rank == 0 {
                flush()
                link?.up(.checkpoint(step: step, state: state))
            }
            record.checkpointStep = step
        }
        nextStep(place)
    }

    private func finish(stopped: Bool, _ place: Place) {
        flush()
        if place.assignment.rank == 0 {
            if wasExpelled { return leaveRing(nil) }
            guard let link else {
                onLink = { [self] in
                    if self.place === place { finish(stopped: stopped, place) }
                }
                return
            }
            link.up(.checkpoint(step: step, state: state))
        }
        let report = FinishedReport(
            step: step, epoch: 1, weightsDigest: "\(state)", stopped: stopped, peakResidentBytes: 1)
        place.ring.leave(place.assignment.rank, isAbrupt: false)
        self.place = nil
        tell({ $0.finished = report }, .finished(report))
        awaitNext()
    }
}
