import DataParallel
import Learning

/// The micro-batches of a worker's replicas in one generation, prepared ahead. The first step may
/// need only some of the replicas: the gradients of the others were kept from the generation
/// before.
final class StepSource {
    private let firstStep: Int
    /// Of the first step, by replica; empty when it needs all replicas.
    private var partial: [Int: any PassSource] = [:]
    private let whole: any PassSource

    /// - Parameter missing: replicas of the first step that have to be computed.
    init(task: any TrainingTask, replicas: Range<Int>, steps: Range<Int>, missing: [Int]) {
        firstStep = steps.lowerBound
        guard missing.count < replicas.count, !steps.isEmpty else {
            whole = task.passes(steps: steps, replicas: replicas)
            return
        }
        whole = task.passes(steps: steps.dropFirst(), replicas: replicas)
        for replica in missing {
            partial[replica] = task.passes(
                steps: firstStep..<firstStep + 1, replicas: replica..<replica + 1)
        }
    }

    /// The next micro-batch of a replica.
    func next(step: Int, replica: Int) throws -> MicroBatchPass {
        if step == firstStep, let source = partial[replica] { return try source.next(step: step) }
        return try whole.next(step: step)
    }

    func stop() {
        for source in partial.values { source.stop() }
        whole.stop()
    }
}
