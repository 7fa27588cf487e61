import Datasets
import Models
import RunConfiguration

/// The data of a run as its configuration describes it, and the plan of who gets what when.
package struct RunData: Sendable {
    package let training: BatchAssembler
    package let test: BatchAssembler
    package let plan: StepPlan
    package let totalSteps: Int

    /// Reads both splits.
    package init(_ configuration: RunConfiguration) throws(DataError) {
        let data = configuration.data
        let training = try IDXReader.read(
            images: data.trainImagesPath, labels: data.trainLabelsPath, classes: data.classes,
            limit: data.trainSamples)
        self.training = try BatchAssembler(
            dataset: training, seed: configuration.seed, mean: data.mean,
            standardDeviation: data.standardDeviation,
            augmentation: Augmentation(
                horizontalFlip: data.augmentation.horizontalFlip,
                cropPadding: data.augmentation.crop))
        test = try Self.testSplit(configuration, shape: training.outline)
        plan = try Self.plan(configuration, sampleCount: training.count)
        totalSteps = Self.totalSteps(configuration, plan: plan)
    }

    /// Reads the test split alone; its images must have `shape` where one is given.
    package static func testSplit(
        _ configuration: RunConfiguration, shape: ImageOutline?
    ) throws(DataError) -> BatchAssembler {
        let data = configuration.data
        let dataset = try IDXReader.read(
            images: data.testImagesPath, labels: data.testLabelsPath, classes: data.classes,
            limit: data.testSamples)
        if let shape, shape.shapeText != dataset.outline.shapeText {
            throw DataError(
                file: data.testImagesPath,
                problem: .shapeMismatch(
                    expected: shape.shapeText, got: dataset.outline.shapeText))
        }
        return try BatchAssembler(
            dataset: dataset, seed: configuration.seed, mean: data.mean,
            standardDeviation: data.standardDeviation)
    }

    /// The steps of the training split.
    package static func plan(
        _ configuration: RunConfiguration, sampleCount: Int
    ) throws(DataError) -> StepPlan {
        try StepPlan(
            dataName: configuration.data.trainImagesPath, sampleCount: sampleCount,
            replicas: configuration.replicas, accumulation: configuration.accumulation,
            batchSize: configuration.batchSize,
            lastBatch: configuration.data.lastBatch == .pad ? .pad : .drop)
    }

    /// How many steps the run has.
    package static func totalSteps(_ configuration: RunConfiguration, plan: StepPlan) -> Int {
        switch configuration.length {
        case .epochs(let count): count * plan.stepsPerEpoch
        case .steps(let count): count
        }
    }
}

extension ImageOutline {
    /// The model's input.
    package var feature: FeatureShape { .image(channels: channels, height: height, width: width) }
}
