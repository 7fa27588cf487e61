import DataParallel
import Datasets
import Foundation
import NeuralNetworks

// What a worker has of a task: its data in memory, its networks, and what one step asks of them.

/// A worker's loaded data and networks. Used by one thread.
package protocol TrainingTask: AnyObject {
    /// All networks; the names of their parameters select them in update rules and files.
    var network: any Module { get }
    /// Optimizers with the parameters that each of them updates; no parameter has two.
    var updates: [UpdateRule] { get }
    /// The rule by which a step updates: a pure function of the step.
    func update(ofStep step: Int) -> Int
    /// Which samples each replica of each step gets.
    var plan: StepPlan { get }
    /// Written beside the weights as the file's metadata.
    var metadata: [String: String] { get }
    /// Equal on all workers beside the weights and in checkpoints: a replay buffer, counters.
    var state: [NamedTensor] { get }

    /// The micro-batches of the given replicas in the order of the steps, prepared ahead.
    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource
    /// The evaluation of the networks as they are.
    var evaluation: any SharedWork { get }
    /// What has to be done together before a step is computed: rollouts, self-play. Its values are
    /// taken once per step, whatever breaks meanwhile. A task with `state` keeps in it all that
    /// `take` changes; a worker that joins a run of a task without `state` is given the values of
    /// the step again.
    func work(beforeStep step: Int) -> (any SharedWork)?
}

extension TrainingTask {
    package func update(ofStep step: Int) -> Int { 0 }
    package var metadata: [String: String] { [:] }
    package var state: [NamedTensor] { [] }
    package func work(beforeStep step: Int) -> (any SharedWork)? { nil }
}

/// Hands out micro-batches in a fixed order.
package protocol PassSource: AnyObject {
    /// The next micro-batch of `step`.
    /// - Throws: `DataError` when it is not there in time.
    func next(step: Int) throws -> MicroBatchPass
    /// Ends the preparation; nothing may be asked for afterwards.
    func stop()
}

/// A file that a task keeps in the run's folder: a vocabulary, a table of classes.
package struct RunFile: Equatable, Sendable {
    package let name: String
    package let bytes: Data

    package init(name: String, bytes: Data) {
        self.name = name
        self.bytes = bytes
    }
}

/// A prefetcher whose batches are copied into tensors as they are taken.
package final class PrefetchedPasses<Assembler: BatchAssembling>: PassSource {
    private let prefetcher: Prefetcher<Assembler>
    private let makePass: (Assembler.Batch) -> MicroBatchPass

    package init(
        _ assembler: Assembler, work: some Sequence<BatchRequest> & Sendable, capacity: Int,
        makePass: @escaping (Assembler.Batch) -> MicroBatchPass
    ) {
        prefetcher = Prefetcher(
            assembler: assembler, work: work, capacity: capacity, depth: 3)
        self.makePass = makePass
    }

    package func next(step: Int) throws -> MicroBatchPass {
        guard let batch = try prefetcher.next() else {
            preconditionFailure("the work list ended before step \(step)")
        }
        // A pass copies what it needs, so the batch may be filled anew at once.
        defer { prefetcher.recycle(batch) }
        return makePass(batch)
    }

    package func stop() { prefetcher.stop() }
}
