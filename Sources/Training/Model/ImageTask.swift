import Autodiff
import DataParallel
import Datasets
import Models
import Configuration
import Learning
import Tensors

/// Classification of labelled images.
package struct ImageTask: TrainingTask {
    package let plan: StepPlan
    package let outputCount: Int
    private let training: BatchAssembler
    private let test: ImageEvaluation
    private let batchSize: Int

    package var input: FeatureShape { training.dataset.outline.feature }
    package var evaluationBatchCount: Int { test.batchCount }

    /// Reads both splits.
    package init(
        _ configuration: RunConfiguration, _ data: ImageDataConfiguration
    ) throws(DataError) {
        let dataset = try IDXReader.read(
            images: data.trainImagesPath, labels: data.trainLabelsPath, classes: data.classes,
            limit: data.trainSamples)
        training = try BatchAssembler(
            dataset: dataset, seed: configuration.seed, mean: data.mean,
            standardDeviation: data.standardDeviation,
            augmentation: Augmentation(
                horizontalFlip: data.augmentation.horizontalFlip,
                cropPadding: data.augmentation.crop))
        test = try ImageEvaluation(configuration, data, shape: dataset.outline)
        plan = try configuration.stepPlan(
            dataName: data.trainImagesPath, sampleCount: dataset.count)
        outputCount = data.classes
        batchSize = configuration.batchSize
    }

    package func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { [training] batch, model in
            let samples = LabelledImages(batch, of: training.dataset)
            return MicroBatchPass(sampleCount: batch.count) { model.loss(of: samples, on: $0) }
        }
    }

    package func evaluate(batch: Int, model: TrainedModel) -> EvaluationSums {
        test.sums(of: batch, model: model)
    }
}

/// The test split of images, cut into batches of a fixed size.
package struct ImageEvaluation {
    package let split: BatchAssembler
    private let batchSize: Int
    private let batch: ImageBatch

    /// Reads the test split; its images must have `shape` where one is given.
    package init(
        _ configuration: RunConfiguration, _ data: ImageDataConfiguration, shape: ImageOutline?
    ) throws(DataError) {
        let dataset = try IDXReader.read(
            images: data.testImagesPath, labels: data.testLabelsPath, classes: data.classes,
            limit: data.testSamples)
        if let shape, shape.shapeText != dataset.outline.shapeText {
            throw DataError(
                file: data.testImagesPath,
                problem: .shapeMismatch(
                    expected: shape.shapeText, got: dataset.outline.shapeText))
        }
        split = try BatchAssembler(
            dataset: dataset, seed: configuration.seed, mean: data.mean,
            standardDeviation: data.standardDeviation)
        batchSize = configuration.evaluation.batchSize
        batch = split.makeBatch(capacity: min(batchSize, dataset.count))
    }

    package var batchCount: Int { (split.dataset.count + batchSize - 1) / batchSize }

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
}

extension ImageOutline {
    /// The model's input.
    package var feature: FeatureShape { .image(channels: channels, height: height, width: width) }
}
