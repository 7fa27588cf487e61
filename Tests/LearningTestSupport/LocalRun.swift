import Collectives
import DataParallel
import Learning

/// A run of one worker with all replicas, without a coordinator.
package final class LocalRun {
    package let model: TrainedModel
    package let task: any TrainingTask
    private let executor: ReplicatedStep

    package init(_ configuration: RunConfiguration) throws {
        task = try configuration.task.load(configuration.context)
        model = try TrainedModel(
            configuration.settings, task: task,
            totalSteps: configuration.totalSteps(stepsPerEpoch: task.plan.stepsPerEpoch))
        let group = try ProcessGroup(
            rank: 0, generation: 1,
            deal: .equal(replicaCount: configuration.replicas, worldSize: 1), previous: nil,
            next: nil, timeout: .seconds(1), add: ringAddition)
        executor = ReplicatedStep(
            store: model.store, average: model.average, seed: configuration.seed,
            sumCount: configuration.task.metrics.sums.count, bucketByteCount: 64)
        executor.join(group)
    }

    deinit { executor.leave() }

    /// Trains up to step `end`.
    /// - Returns: the sums of the last step.
    @discardableResult
    package func train(to end: Int) throws -> StepSums? {
        let source = task.passes(steps: model.step..<end, replicas: 0..<task.plan.replicas)
        defer { source.stop() }
        var sums: StepSums?
        while model.step < end {
            let step = model.step
            if let work = task.work(beforeStep: step), model.workedStep != step {
                work.take(try (0..<work.partCount).map { try work.values(ofPart: $0) })
                model.workedStep = step
            }
            sums = try executor.run(
                step: step, update: model.nextUpdate, votes: StepVotes(), phase: { _ in },
                passes: { _ in
                    try (0..<task.plan.accumulation).map { _ in try source.next(step: step) }
                })
            model.step += 1
        }
        return sums
    }

    package func weights(_ name: String) -> [Float] {
        guard let slot = model.store.parameterSlots.first(where: { $0.name == name }) else {
            return []
        }
        return model.store.values.slice(from: slot.offset, slot.shape).scalars
    }
}
