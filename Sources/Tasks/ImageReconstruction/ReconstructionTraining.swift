import Autodiff
import Configuration
import DataParallel
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// A worker's images and its autoencoder.
final class ReconstructionTraining: TrainingTask {
    let plan: StepPlan
    let updates: [UpdateRule]
    private let layers: Sequential
    private let training: ImageBatchAssembler
    private let test: ReconstructionEvaluation
    private let batchSize: Int

    var network: any Module { layers }
    var evaluation: any SharedWork { test }

    init(
        training: ImageBatchAssembler, test: ImageBatchAssembler, _ layers: Sequential,
        _ plan: StepPlan, _ settings: RunSettings
    ) {
        self.training = training
        self.layers = layers
        self.plan = plan
        self.test = ReconstructionEvaluation(test, layers, settings)
        updates = [UpdateRule(settings)]
        batchSize = settings.batchSize
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { [layers, training] batch in
            let images = batch.images(of: training.dataset)
            return MicroBatchPass(sampleCount: batch.count) { tape in
                let loss = layers.reconstructionLoss(of: images, on: tape)
                return (
                    loss,
                    PassSums(
                        lossSum: loss.value.pointer[0], lossWeight: Float(images.count),
                        sampleCount: images.shape[0])
                )
            }
        }
    }
}

/// Images that an autoencoder is measured on, in batches of a fixed size.
struct ReconstructionEvaluation: SharedWork {
    private let images: ImageBatchAssembler
    private let layers: Sequential
    private let batches: EvaluationBatches
    private let batch: ImageBatch

    init(_ images: ImageBatchAssembler, _ layers: Sequential, _ settings: RunSettings) {
        self.images = images
        self.layers = layers
        batches = EvaluationBatches(
            sampleCount: images.dataset.count, batchSize: settings.evaluation.batchSize)
        batch = images.makeBatch(capacity: batches.capacity)
    }

    var partCount: Int { batches.count }
    let valueCount = 3

    func values(ofPart part: Int) -> [Double] {
        images.fill(batch, with: .inOrder(batches[part]), order: nil)
        let samples = batch.images(of: images.dataset)
        let loss = layers.reconstructionLoss(of: samples, on: Tape(.evaluation))
        return [Double(batches[part].count), Double(loss.value.pointer[0]), Double(samples.count)]
    }
}

extension Sequential {
    /// The sum of the squared differences of images [N, H, W, C] and what comes back, [N, H W C].
    fileprivate func reconstructionLoss(of images: Tensor, on tape: Tape) -> Variable {
        let output = self(tape.constant(images))
        return squaredLoss(output, target: images.reshaped(output.shape)).loss
    }
}

extension ImageBatch {
    /// A copy [N, H, W, C]; the batch's own memory may be filled anew afterwards.
    fileprivate func images(of dataset: ImageDataset) -> Tensor {
        let images = Tensor(
            uninitialized: [count, dataset.height, dataset.width, dataset.channels])
        images.pointer.update(from: pixels, count: images.count)
        return images
    }
}
