import Autodiff
import DataParallel
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// A worker's images and its network.
final class ImageTraining: TrainingTask {
    let plan: StepPlan
    let updates: [UpdateRule]
    let metadata: [String: String]
    private let layers: Sequential
    private let loss: ClassificationLoss
    private let figures: ImageMetrics
    private let training: ImageBatchAssembler
    private let test: ImageEvaluation
    private let batchSize: Int

    var network: any Module { layers }
    var evaluation: any SharedWork { test }

    /// Reads both splits.
    init(_ task: ImageClassificationTask, _ run: RunContext) throws {
        let dataset = try task.dataset(.training)
        training = try task.images.assembler(
            dataset, seed: run.settings.seed, augmentation: task.images.augmentation)
        let network = ConfiguredNetwork(
            task.model, input: dataset.outline.feature, outputs: task.images.classes, run)
        layers = try network.layers()
        metadata = network.metadata
        let testSet = try task.dataset(.test)
        try dataset.outline.checkShape(of: testSet.outline, file: testSet.name)
        test = try ImageEvaluation(task, run.settings, testSet, layers)
        plan = try run.stepPlan(
            dataName: dataset.name, sampleCount: dataset.count, lastBatch: task.images.lastBatch)
        loss = ClassificationLoss(task.model.loss)
        figures = task.figures
        updates = [UpdateRule(run.settings)]
        batchSize = run.settings.batchSize
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { [training, layers, loss, figures] batch in
            let samples = LabelledImages(batch, of: training.dataset)
            return MicroBatchPass(sampleCount: batch.count) { tape in
                let logits = layers(tape.constant(samples.images))
                let (loss, sums) = loss(logits, labels: samples.labels)
                return (loss, figures.sums(sums))
            }
        }
    }
}

/// A batch as the network takes it.
struct LabelledImages {
    /// [N, H, W, C]
    let images: Tensor
    /// [N]
    let labels: [Int32]

    /// Copies a batch, whose own memory may be filled anew afterwards.
    init(_ batch: ImageBatch, of dataset: ImageDataset) {
        images = Tensor(
            uninitialized: [batch.count, dataset.height, dataset.width, dataset.channels])
        images.pointer.update(from: batch.pixels, count: images.count)
        labels = Array(UnsafeBufferPointer(start: batch.labels, count: batch.count))
    }
}
