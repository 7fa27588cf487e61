import Autodiff
import Configuration
import Datasets
import Learning
import NeuralNetworks

/// Labelled images that a network is measured on, in batches of a fixed size.
struct ImageEvaluation: SharedWork {
    private let images: ImageBatchAssembler
    private let network: Sequential
    private let figures: ImageMetrics
    private let batches: EvaluationBatches
    private let batch: ImageBatch

    init(
        _ task: ImageClassificationTask, _ settings: RunSettings, _ dataset: ImageDataset,
        _ network: Sequential
    ) throws(DataError) {
        images = try task.images.assembler(dataset, seed: settings.seed)
        self.network = network
        figures = task.figures
        batches = EvaluationBatches(
            sampleCount: dataset.count, batchSize: settings.evaluation.batchSize)
        batch = images.makeBatch(capacity: batches.capacity)
    }

    var partCount: Int { batches.count }
    var valueCount: Int { figures.evaluationSums.count }

    func values(ofPart part: Int) -> [Double] {
        images.fill(batch, with: .inOrder(batches[part]), order: nil)
        let samples = LabelledImages(batch, of: images.dataset)
        let logits = network(Tape(.evaluation).constant(samples.images))
        let (_, sums) = softmaxCrossEntropy(logits, labels: samples.labels)
        return figures.evaluationSums(of: logits.value, samples.labels, sums)
    }
}
