/// Samples cut into batches of a fixed size, the last one smaller: the parts of an evaluation,
/// whoever does them.
package struct EvaluationBatches: Sendable {
    private let sampleCount: Int
    private let batchSize: Int

    package init(sampleCount: Int, batchSize: Int) {
        self.sampleCount = sampleCount
        self.batchSize = batchSize
    }

    package var count: Int { (sampleCount + batchSize - 1) / batchSize }

    /// The most samples that a batch has.
    package var capacity: Int { min(batchSize, sampleCount) }

    /// The samples of a batch, in the order of the data.
    package subscript(batch: Int) -> Range<Int> {
        batch * batchSize..<min((batch + 1) * batchSize, sampleCount)
    }
}
