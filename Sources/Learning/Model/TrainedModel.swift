import Autodiff
import Configuration
import DataParallel
import NeuralNetworks
import Tensors

/// All that is replicated in a run: the networks with their flat state, the optimizers, the average
/// of the weights, and what the task keeps beside them. Used by one thread.
package final class TrainedModel {
    package let network: any Module
    package let store: ParameterStore
    /// One for each of the task's rules.
    package let updates: [ModelUpdate]
    /// What is kept as the model in place of the weights in `store`, where a run averages.
    package let average: ExponentialAverage?
    let task: any TrainingTask
    /// Updates by each rule so far.
    private var updateCounts: [Int]

    /// Committed steps.
    package var step = 0 {
        didSet { countUpdates(from: oldValue) }
    }

    /// The step before which shared work was done last and whose values the task has taken; nil
    /// where the task has no such work.
    package var workedStep: Int?

    /// Whether something of the task is replicated beside the weights.
    package var hasTaskState: Bool { !task.state.isEmpty }

    /// The task's networks with their initial weights.
    /// - Throws: `ParameterGroupError`.
    package init(
        _ settings: RunSettings, task: any TrainingTask, totalSteps: Int
    ) throws(ParameterGroupError) {
        self.task = task
        network = task.network
        store = ParameterStore(adopting: network)
        let store = store
        var updates: [ModelUpdate] = []
        for rule in task.updates {
            updates.append(
                try ModelUpdate(
                    rule, store, stepsPerEpoch: task.plan.stepsPerEpoch, totalSteps: totalSteps))
        }
        self.updates = updates
        updateCounts = updates.map { _ in 0 }
        average = settings.average.map {
            ExponentialAverage(of: store.values, decay: $0.decay, warmsUp: $0.warmsUp)
        }
    }

    /// Runs `body` with the weights that are kept as the model: the averages where there are some.
    package func asKept<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let average else { return try body() }
        return try average.whileExchanged(with: store.values, body)
    }

    /// The update of the coming step.
    package var nextUpdate: StepUpdate {
        let index = ruleIndex(ofStep: step)
        let update = updates[index]
        let number = updateCounts[index] + 1
        return StepUpdate(
            optimizer: update.optimizer, clipping: update.clipping,
            learningRate: update.schedule.learningRate(step: step), number: number,
            otherRanges: update.otherRanges)
    }

    private func ruleIndex(ofStep step: Int) -> Int {
        let index = task.update(ofStep: step)
        precondition(
            updates.indices.contains(index), "update rule \(index) of \(updates.count)")
        return index
    }

    /// An optimizer's bias correction counts its own updates. They follow from the step, so they
    /// are not stored.
    private func countUpdates(from old: Int) {
        guard updates.count > 1 else {
            updateCounts = [step]
            return
        }
        var start = old
        if step < old {
            updateCounts = updates.map { _ in 0 }
            start = 0
        }
        for step in start..<step { updateCounts[ruleIndex(ofStep: step)] += 1 }
    }
}
