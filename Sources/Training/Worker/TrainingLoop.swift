import Autodiff
import Checkpoints
import Collectives
import DataParallel
import Datasets
import Foundation
import Rendezvous
import Configuration
import Learning
import Tensors
import Transport
import WireFormat

// The steps of one worker, generation after generation: every worker runs this same loop, in lock
// step through the ring. What differs is only which replicas it computes, and that the first rank
// reports and uploads.

/// How a worker's part in a generation ended, when it did not break.
enum GenerationEnd {
    /// All steps are done.
    case finished
    /// The run was asked to stop before its last step.
    case stopped
    /// The members are about to change.
    case paused
}

/// Used by the worker's main thread.
final class TrainingLoop {
    private let configuration: RunConfiguration
    private let task: any TrainingTask
    private let model: TrainedModel
    private let link: CoordinatorLink
    private let executor: ReplicatedStep
    private var reporter: StepReporter
    private var group: ProcessGroup?
    /// What the coordinator has; the same on all workers of a generation.
    private var record = RecordPosition()
    /// The change of the deal by which steps are computed; 0 for the generation's own deal.
    private var dealNumber = 0
    /// False while a state is on its way into the model.
    private(set) var hasWholeState = true
    /// The work before the coming step, done with the members of a ring.
    private var preparation = StepPreparation()

    /// - Throws: `ParameterGroupError`.
    init(
        configuration: RunConfiguration, task: any TrainingTask, link: CoordinatorLink
    ) throws {
        self.configuration = configuration
        self.task = task
        totalSteps = configuration.totalSteps(stepsPerEpoch: task.plan.stepsPerEpoch)
        model = try TrainedModel(configuration.settings, task: task, totalSteps: totalSteps)
        self.link = link
        executor = ReplicatedStep(
            store: model.store, average: model.average, seed: configuration.seed,
            sumCount: configuration.task.metrics.sums.count,
            bucketByteCount: Int(configuration.bucketMegabytes * 1_048_576),
            format: GradientFormat(configuration.gradients),
            hasSpareCore: ProcessorCores.available.count > configuration.threads)
        reporter = StepReporter(link: link)
    }

    /// The length of the run.
    let totalSteps: Int

    /// Committed steps.
    var step: Int { model.step }

    var weightsDigest: String { model.weightsDigest }
    var scalarCount: Int { model.store.scalarCount }

    /// Whether the assignment is that of a run that begins again, because all state was lost before
    /// the first checkpoint: this loop's state is of no use then.
    func isBehind(_ assignment: Assignment) -> Bool {
        assignment.transfer == .none && (assignment.startStep != model.step || !hasWholeState)
    }

    /// The replicas of the coming step whose gradients are here.
    var keptReplicas: [Int] { hasWholeState ? executor.computedReplicas(step: model.step) : [] }

    // MARK: - Entering and leaving a ring

    /// Brings this worker to the step at which the generation starts.
    func enter(_ group: ProcessGroup, _ assignment: Assignment) throws {
        executor.join(group)
        self.group = group
        record = assignment.record
        dealNumber = 0
        preparation.enterRing()
        link.setPace(secondsPerReplica: executor.secondsPerReplica, dealNumber: 0)
        reporter.begin(isSending: group.rank == 0)
        switch assignment.transfer {
        case .none: break
        case .gradient: try receiveGradient(group, assignment)
        case .state: try receiveState(group, assignment)
        }
        reporter.rewind(to: model.step)
        if group.rank == assignment.root {
            reporter.repeatReports(after: assignment.record)
        }
    }

    /// Leaves the ring, which must have been shut down if it broke.
    func leave() {
        executor.leave()
        group = nil
    }

    /// The last committed step's reduced gradient, for those who missed it.
    private func receiveGradient(_ group: ProcessGroup, _ assignment: Assignment) throws {
        let step = assignment.startStep - 1
        try broadcast([executor.reducedGradient(step: step)], group, assignment)
        try executor.shareReducedRows(
            step: step, root: assignment.root, call: UInt64(assignment.startStep))
        guard model.step == step else { return }
        let start = ContinuousClock.now
        let update = model.nextUpdate
        let sums = try executor.commitReceived(step: step, update: update)
        model.step = assignment.startStep
        report(sums, step: step, start: start, learningRate: update.learningRate)
    }

    private func receiveState(_ group: ProcessGroup, _ assignment: Assignment) throws {
        let isRoot = group.rank == assignment.root
        let wasThere = model.step == assignment.startStep && hasWholeState
        if !wasThere {
            hasWholeState = false
            executor.forgetGradients()
        }
        if isRoot, assignment.stateFollows { try restore(step: assignment.startStep) }
        try broadcast(model.replicatedState, group, assignment)
        if model.hasTaskState {
            try preparation.receiveWorkedStep(of: model, group, assignment)
        }
        model.step = assignment.startStep
        hasWholeState = true
    }

    private func broadcast(
        _ tensors: [Tensor], _ group: ProcessGroup, _ assignment: Assignment
    ) throws {
        for flat in tensors {
            try group.broadcast(
                step: UInt64(assignment.startStep), root: assignment.root,
                buffer: UnsafeMutableRawBufferPointer(
                    start: flat.pointer, count: flat.count * MemoryLayout<Float>.stride))
        }
    }

    /// Takes the state of a checkpoint from the coordinator.
    private func restore(step: Int) throws {
        let files = try link.awaitState(deadline: .after(.seconds(600)))
        try model.load(files, step: step)
    }

    // MARK: - Steps

    /// Trains from the model's step up to `lastStep`.
    func run(lastStep: Int) throws -> GenerationEnd {
        guard let group else { preconditionFailure("no ring to run in") }
        // What was due when the generation before broke, or was paused.
        if model.step > 0 { try afterStep(model.step - 1, isLast: model.step == lastStep) }
        func makeSource() -> StepSource {
            StepSource(
                task: task, replicas: group.deal.ranges[group.rank],
                steps: model.step..<max(model.step, lastStep),
                missing: executor.missingReplicas(step: model.step))
        }
        var source = makeSource()
        defer { source.stop() }
        var pace = StepPace(longest: configuration.communication.timeout)
        while model.step < lastStep {
            let step = model.step
            if let work = task.work(beforeStep: step) {
                group.setStallTimeout(configuration.communication.timeout)
                try preparation.prepare(step: step, work, model, group)
            }
            group.setStallTimeout(pace.stallTimeout)
            let change = link.dealChange(generation: group.generation)
                .flatMap { $0.number > dealNumber ? $0 : nil }
            let start = ContinuousClock.now
            let computesAll =
                executor.missingReplicas(step: step).count == group.deal.ranges[group.rank].count
            let update = model.nextUpdate
            let sums = try executor.run(
                step: step, update: update,
                votes: StepVotes(
                    stop: link.stopRequested,
                    pause: link.isPauseRequested(generation: group.generation),
                    redeal: change != nil),
                phase: { link.setProgress(step: step, phase: $0.rawValue) },
                passes: { replica in
                    try (0..<configuration.accumulation).map { _ in
                        try source.next(step: step, replica: replica)
                    }
                })
            model.step = step + 1
            // A step whose gradients were kept from a broken ring says nothing of the others.
            if computesAll { pace.add(ContinuousClock.now - start) }
            report(sums, step: step, start: start, learningRate: update.learningRate)
            link.setPace(
                secondsPerReplica: executor.secondsPerReplica, dealNumber: dealNumber)
            let isLast = model.step == lastStep
            // A person who stops a run waits for its checkpoint, not for an evaluation; after a
            // pause the next generation does what is due.
            if sums.votes.stop, !isLast { return flushed(.stopped) }
            if sums.votes.pause, !isLast { return flushed(.paused) }
            group.setStallTimeout(configuration.communication.timeout)
            if try afterStep(step, isLast: isLast) { pace.expectDelay() }
            if let change, sums.dealVoteCount == group.worldSize {
                executor.adopt(change.deal)
                dealNumber = change.number
                source.stop()
                source = makeSource()
            }
        }
        return flushed(.finished)
    }

    private func flushed(_ end: GenerationEnd) -> GenerationEnd {
        reporter.flush()
        return end
    }

    private func report(
        _ sums: StepSums, step: Int, start: ContinuousClock.Instant, learningRate: Double
    ) {
        reporter.add(
            StepReport(
                step: step + 1, epoch: task.plan.epoch(ofStep: step) + 1,
                lossSum: Double(sums.lossSum), sampleCount: sums.sampleCount,
                lossWeight: Double(sums.lossWeight), sums: sums.values,
                seconds: (ContinuousClock.now - start) / .seconds(1), learningRate: learningRate,
                gradientNorm: sums.gradientNorm,
                firstPosition: task.plan.positions(ofStep: step).lowerBound,
                usedCount: sums.usedCount, time: Date().timeIntervalSince1970,
                dealNumber: dealNumber))
    }

    /// Evaluation and checkpoints that are due after a step and that the coordinator does not have.
    /// The last step's checkpoint is written by the caller, which knows how the run ended.
    /// - Returns: whether something was due, which some workers may take longer for than others.
    @discardableResult
    private func afterStep(_ step: Int, isLast: Bool) throws -> Bool {
        let committed = step + 1
        let endsEpoch = task.plan.endsEpoch(step)
        let epoch = task.plan.epoch(ofStep: step) + 1
        func isDue(everyEpochs: Int, everySteps: Int?) -> Bool {
            (endsEpoch && everyEpochs > 0 && epoch % everyEpochs == 0)
                || everySteps.map { committed % $0 == 0 } ?? false
        }
        let evaluation = configuration.evaluation
        let isEvaluationDue =
            isLast || isDue(everyEpochs: evaluation.everyEpochs, everySteps: evaluation.everySteps)
        if isEvaluationDue, record.evaluatedStep < committed {
            try evaluate(epoch: epoch)
            record.evaluatedStep = committed
        }
        let checkpoint = configuration.checkpoint
        let isCheckpointDue =
            !isLast
            && isDue(everyEpochs: checkpoint.everyEpochs, everySteps: checkpoint.everySteps)
        if isCheckpointDue, record.checkpointStep < committed {
            try uploadCheckpoint(isFinal: false)
            record.checkpointStep = committed
        }
        return isEvaluationDue || isCheckpointDue
    }

    /// The test split, each batch by one worker; the sums are added in the data's order everywhere.
    private func evaluate(epoch: Int) throws {
        guard let group else { preconditionFailure("no ring to evaluate in") }
        reporter.flush()
        link.setProgress(step: model.step, phase: StepPhase.evaluation.rawValue)
        let start = ContinuousClock.now
        let work = task.evaluation
        let parts = try model.asKept { try work.share(in: group, step: model.step) }
        work.take(parts)
        let sums = type(of: work).total(parts, valueCount: work.valueCount)
        let metrics = configuration.task.metrics
        reporter.add(
            EvaluationReport(
                step: model.step, epoch: epoch,
                sampleCount: metrics.sampleCount(ofEvaluation: sums),
                figures: metrics.figures(ofEvaluation: sums).values,
                seconds: (ContinuousClock.now - start) / .seconds(1)))
    }

    /// The first rank sends the state to the coordinator, which owns the run's folder.
    func uploadCheckpoint(isFinal: Bool) throws {
        guard group?.rank == 0 else { return }
        reporter.flush()
        link.setProgress(step: model.step, phase: StepPhase.checkpoint.rawValue)
        try link.sendCheckpoint(step: model.step, isFinal: isFinal) { try model.files() }
    }

    /// Writes a checkpoint into this process' working folder.
    /// - Returns: its path.
    func saveHere(configurationJSON: String, arithmetic: String) throws -> String {
        let folder =
            FileManager.default.currentDirectoryPath + "/rondo-rescued-\(configuration.name)"
        let store = CheckpointStore(directory: folder, keep: configuration.checkpoint.keep)
        try store.prepare()
        try store.write(
            CheckpointDescription(
                step: model.step, epoch: model.step / task.plan.stepsPerEpoch,
                seed: configuration.seed,
                configurationDigest: SHA256Digest.hexadecimal(of: Data(configurationJSON.utf8)),
                arithmetic: arithmetic), files: try model.files())
        return "\(folder)/\(CheckpointStore.folderName(model.step))"
    }

    /// What a finished part comes to.
    func finishedReport(stopped: Bool) -> FinishedReport {
        FinishedReport(
            step: model.step, epoch: task.plan.epoch(ofStep: max(0, model.step - 1)) + 1,
            weightsDigest: model.weightsDigest, stopped: stopped,
            peakResidentBytes: ProcessArithmetic.peakResidentByteCount)
    }
}
