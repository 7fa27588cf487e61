import Autodiff
import Checkpoints
import Collectives
import DataParallel
import Datasets
import Foundation
import Rendezvous
import RunConfiguration
import WireFormat

// The steps of one worker within one generation: every worker runs this same loop, in lock step through the
// ring. What differs is only which replicas it computes, and that rank 0 reports and uploads.

/// How the loop ended.
struct LoopEnd {
    /// Committed steps.
    let step: Int
    /// Whether it was asked to stop before the last step.
    let stopped: Bool
}

/// Used by the worker's main thread.
final class TrainingLoop {
    private let configuration: RunConfiguration
    private let task: any TrainingTask
    private let model: TrainedModel
    private let group: ProcessGroup
    private let client: WorkerControlClient
    private let executor: ReplicatedStep
    private var reporter: StepReporter

    private var isReporting: Bool { group.rank == 0 }

    init(
        configuration: RunConfiguration, task: any TrainingTask, model: TrainedModel,
        group: ProcessGroup,
        client: WorkerControlClient
    ) {
        self.configuration = configuration
        self.task = task
        self.model = model
        self.group = group
        self.client = client
        executor = ReplicatedStep(
            store: model.store, optimizer: model.optimizer, clipping: model.clipping,
            average: model.average, group: group, seed: configuration.seed,
            bucketByteCount: Int(configuration.bucketMegabytes * 1_048_576))
        reporter = StepReporter(client: client)
    }

    /// Ends the loop's threads; the group must have been shut down if `run` threw.
    func close() { executor.close() }

    /// Trains from the model's step up to `lastStep`.
    func run(lastStep: Int) throws -> LoopEnd {
        let replicas = group.deal.ranges[group.rank]
        let source = task.passes(
            steps: model.step..<max(model.step, lastStep), replicas: replicas)
        defer { source.stop() }
        var isStopped = false
        while model.step < lastStep, !isStopped {
            let step = model.step
            let start = ContinuousClock.now
            let rate = model.schedule.learningRate(step: step)
            let sums = try executor.run(
                step: step, learningRate: rate, stopRequested: client.stopRequested,
                phase: { client.setProgress(step: step, phase: $0.rawValue) },
                passes: { _ in
                    try (0..<configuration.accumulation).map { _ in try source.next(model) }
                })
            model.step = step + 1
            isStopped = sums.stopRequested && model.step < lastStep
            try report(sums, step: step, start: start, learningRate: rate)
            // A person who stops a run waits for its checkpoint, not for an evaluation.
            if !isStopped { try afterStep(step, isLast: model.step == lastStep) }
        }
        try reporter.flush()
        return LoopEnd(step: model.step, stopped: isStopped)
    }

    private func report(
        _ sums: StepSums, step: Int, start: ContinuousClock.Instant, learningRate: Double
    ) throws {
        guard isReporting else { return }
        try reporter.add(
            StepReport(
                step: step + 1, epoch: task.plan.epoch(ofStep: step) + 1,
                lossSum: Double(sums.lossSum), correctCount: sums.correctCount,
                sampleCount: sums.sampleCount, lossWeight: Double(sums.lossWeight),
                seconds: (ContinuousClock.now - start) / .seconds(1), learningRate: learningRate,
                gradientNorm: sums.gradientNorm))
    }

    /// Evaluation and checkpoints that are due after a step. The last step's checkpoint is written by the
    /// caller, which knows how the run ended.
    private func afterStep(_ step: Int, isLast: Bool) throws {
        let committed = step + 1
        let endsEpoch = task.plan.endsEpoch(step)
        let epoch = task.plan.epoch(ofStep: step) + 1
        func isDue(everyEpochs: Int, everySteps: Int?) -> Bool {
            (endsEpoch && everyEpochs > 0 && epoch % everyEpochs == 0)
                || everySteps.map { committed % $0 == 0 } ?? false
        }
        let evaluation = configuration.evaluation
        if isLast
            || isDue(everyEpochs: evaluation.everyEpochs, everySteps: evaluation.everySteps)
        {
            try evaluate(epoch: epoch)
        }
        let checkpoint = configuration.checkpoint
        if !isLast
            && isDue(everyEpochs: checkpoint.everyEpochs, everySteps: checkpoint.everySteps)
        {
            try uploadCheckpoint(isFinal: false)
        }
    }

    /// The test split, each batch by one worker; the sums are added in the data's order everywhere.
    private func evaluate(epoch: Int) throws {
        try reporter.flush()
        client.setProgress(step: model.step, phase: StepPhase.evaluation.rawValue)
        let start = ContinuousClock.now
        let own = model.asKept {
            task.evaluationBatches(rank: group.rank, worldSize: group.worldSize)
                .map { task.evaluate(batch: $0, model: model) }
        }
        let stride = MemoryLayout<EvaluationSums>.stride
        let counts = (0..<group.worldSize).map {
            task.evaluationBatches(rank: $0, worldSize: group.worldSize).count * stride
        }
        var all = [EvaluationSums](repeating: EvaluationSums(), count: task.evaluationBatchCount)
        try own.withUnsafeBytes { contribution in
            try all.withUnsafeMutableBytes { output in
                try group.allGather(
                    step: UInt64(model.step), contribution: contribution, byteCounts: counts,
                    output: output)
            }
        }
        guard isReporting else { return }
        let total = EvaluationSums.total(all)
        try client.sendEvaluation(
            EvaluationReport(
                step: model.step, epoch: epoch, lossSum: total.lossSum,
                lossCount: total.lossCount, correctCount: total.correctCount,
                sampleCount: total.sampleCount,
                seconds: (ContinuousClock.now - start) / .seconds(1)))
    }

    /// Rank 0 sends the state to the coordinator, which owns the run's folder.
    func uploadCheckpoint(isFinal: Bool) throws {
        guard isReporting else { return }
        try reporter.flush()
        client.setProgress(step: model.step, phase: StepPhase.checkpoint.rawValue)
        try client.sendCheckpoint(step: model.step, isFinal: isFinal, files: try model.files())
    }
}
