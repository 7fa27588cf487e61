import Datasets
import DataParallel
import Models
import Configuration
import Learning

// What a run trains on, behind one face: the loop asks for micro-batches and for the evaluation of numbered
// parts, and knows neither images nor text.

/// The data of a run with its loss. Used by one thread.
package protocol TrainingTask {
    /// What one sample looks like to the network.
    var input: FeatureShape { get }
    /// Classes, or symbols.
    var outputCount: Int { get }
    /// What the symbols stand for; nil where there are none.
    var vocabularies: RunVocabularies? { get }
    /// Which samples each replica of each step gets.
    var plan: StepPlan { get }
    /// Parts of the evaluation: batches of a fixed size, whoever evaluates them.
    var evaluationBatchCount: Int { get }

    /// The micro-batches of the given replicas in the order of the steps, prepared ahead.
    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource
    /// Measures one part.
    func evaluate(batch: Int, model: TrainedModel) -> EvaluationSums
}

/// Hands out micro-batches in a fixed order.
package protocol PassSource: AnyObject {
    /// The next micro-batch.
    /// - Throws: `DataError` when it is not there in time.
    func next(_ model: TrainedModel) throws -> MicroBatchPass
    /// Ends the preparation; nothing may be asked for afterwards.
    func stop()
}

/// Sums over evaluated samples. The loss is added in Double, part by part in order, so that the result
/// does not depend on which worker evaluated which part.
package struct EvaluationSums: Equatable, Sendable {
    package var lossSum = 0.0
    /// What the loss was summed over: samples, or symbols.
    package var lossCount = 0
    package var correctCount = 0
    package var sampleCount = 0

    package init() {}

    /// - Parameter lossCount: nil: the loss is one of samples.
    package init(lossSum: Double, lossCount: Int? = nil, correctCount: Int, sampleCount: Int) {
        self.lossSum = lossSum
        self.lossCount = lossCount ?? sampleCount
        self.correctCount = correctCount
        self.sampleCount = sampleCount
    }

    package var accuracy: Double { Double(correctCount) / Double(max(1, sampleCount)) }
    package var loss: Double { lossSum / Double(max(1, lossCount)) }

    /// The total of parts given in order.
    package static func total(_ parts: some Sequence<EvaluationSums>) -> EvaluationSums {
        parts.reduce(into: EvaluationSums()) { total, part in
            total.lossSum += part.lossSum
            total.lossCount += part.lossCount
            total.correctCount += part.correctCount
            total.sampleCount += part.sampleCount
        }
    }
}

extension TrainingTask {
    package var vocabularies: RunVocabularies? { nil }

    /// The parts of one of `worldSize` workers: contiguous, as equal as can be.
    package func evaluationBatches(rank: Int, worldSize: Int) -> Range<Int> {
        evaluationBatchCount * rank / worldSize..<evaluationBatchCount * (rank + 1) / worldSize
    }
}

extension RunConfiguration {
    /// Reads the data that the configuration names.
    package func loadTask(_ parts: ProgramParts = .none) throws -> any TrainingTask {
        switch data {
        case .images(let images): try ImageTask(self, images)
        case .text(let text): try TextTask(self, text)
        case .pairs(let pairs): try PairTask(self, pairs)
        case .own: try ProgramTask(self, parts.samples(for: self))
        }
    }

    /// The steps of an epoch of `sampleCount` samples.
    package func stepPlan(dataName: String, sampleCount: Int) throws(DataError) -> StepPlan {
        try StepPlan(
            dataName: dataName, sampleCount: sampleCount, replicas: replicas,
            accumulation: accumulation, batchSize: batchSize,
            lastBatch: data.lastBatch == .pad ? .pad : .drop)
    }

    /// How many steps the run has.
    package func totalSteps(_ plan: StepPlan) -> Int {
        switch length {
        case .epochs(let count): count * plan.stepsPerEpoch
        case .steps(let count): count
        }
    }
}

/// A prefetcher whose batches are copied into tensors as they are taken.
final class PrefetchedPasses<Assembler: BatchAssembling>: PassSource {
    private let prefetcher: Prefetcher<Assembler>
    private let makePass: (Assembler.Batch, TrainedModel) -> MicroBatchPass

    init(
        _ assembler: Assembler, work: some Sequence<BatchRequest> & Sendable, capacity: Int,
        makePass: @escaping (Assembler.Batch, TrainedModel) -> MicroBatchPass
    ) {
        prefetcher = Prefetcher(
            assembler: assembler, work: work, capacity: capacity, depth: 3)
        self.makePass = makePass
    }

    func next(_ model: TrainedModel) throws -> MicroBatchPass {
        guard let batch = try prefetcher.next() else {
            preconditionFailure("the work list ended before step \(model.step)")
        }
        // A pass copies what it needs, so the batch may be filled anew at once.
        defer { prefetcher.recycle(batch) }
        return makePass(batch, model)
    }

    func stop() { prefetcher.stop() }
}
