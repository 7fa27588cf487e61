import Autodiff
import Datasets

/// Sums over evaluated samples. The loss is added in Double, batch by batch in the data's order, so that
/// the result does not depend on which worker evaluated which batch.
package struct EvaluationSums: Equatable, Sendable {
    package var lossSum = 0.0
    package var correctCount = 0
    package var sampleCount = 0

    package var accuracy: Double { Double(correctCount) / Double(max(1, sampleCount)) }
    package var loss: Double { lossSum / Double(max(1, sampleCount)) }
}

/// The test split cut into batches of a fixed size, each evaluated by one worker.
package struct SplitEvaluation {
    private let split: BatchAssembler
    private let batchSize: Int
    private let batch: ImageBatch

    package init(split: BatchAssembler, batchSize: Int) {
        self.split = split
        self.batchSize = batchSize
        batch = split.makeBatch(capacity: min(batchSize, split.dataset.count))
    }

    package var batchCount: Int { (split.dataset.count + batchSize - 1) / batchSize }

    /// The batches of one of `worldSize` workers: contiguous, as equal as can be.
    package func batches(rank: Int, worldSize: Int) -> Range<Int> {
        batchCount * rank / worldSize..<batchCount * (rank + 1) / worldSize
    }

    /// Evaluates one batch.
    package func sums(of index: Int, model: TrainedModel) -> EvaluationSums {
        let start = index * batchSize
        let end = min(start + batchSize, split.dataset.count)
        split.fill(batch, with: .inOrder(start..<end), order: nil)
        let (_, sums) = model.loss(
            of: LabelledImages(batch, of: split.dataset), on: Tape(.evaluation))
        return EvaluationSums(
            lossSum: Double(sums.lossSum), correctCount: sums.correctCount,
            sampleCount: sums.sampleCount)
    }

    /// The total of batches given in order.
    package static func total(_ parts: some Sequence<EvaluationSums>) -> EvaluationSums {
        parts.reduce(into: EvaluationSums()) { total, part in
            total.lossSum += part.lossSum
            total.correctCount += part.correctCount
            total.sampleCount += part.sampleCount
        }
    }
}
