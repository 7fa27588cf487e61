// task "imageClassification": one class for each image.

import Configuration
import Datasets
import Learning
import Models

/// Classification of labelled images.
package struct ImageClassificationTask: LearningTask {
    package static let name = "imageClassification"
    package static let formats: [any DataFormat.Type] = [IDXFormat.self, NumPyFormat.self]
    package static let uses: [any ModelUse.Type] = [ClassifyImages.self]

    package var data: any DataFormat
    let images: ImageOptions
    let model: ModelConfiguration

    package init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        let reader: ConfigurationReader
        (data, reader) = try configuration.data(Self.formats, taskKeys: ImageOptions.keys)
        images = try ImageOptions(reader)
        model = try .layers(configuration, hasClasses: true)
        if let weights = model.loss.classWeights, weights.count != images.classes {
            throw configuration.conflict(
                "model.loss.classWeights",
                "has \(weights.count) numbers but \"data.classes\" is \(images.classes)")
        }
    }

    package var resolved: [String: ConfigurationValue] {
        ["data": data.resolvedData(images.resolved), "model": model.resolved]
    }

    var figures: ImageMetrics { ImageMetrics(classes: images.classes) }
    package var metrics: Metrics { figures.metrics }

    package func outline(_ run: RunContext) throws -> TaskOutline {
        let training = try outline(of: .training)
        let test = try outline(of: .test)
        try training.images.checkShape(of: test.images, file: test.file)
        try images.checkChannels(training.images, file: training.file)
        let trainingCount = try images.count(.training, of: training.images, training.file)
        let testCount = try images.count(.test, of: test.images, test.file)
        let network = ConfiguredNetwork(
            model, input: training.images.feature, outputs: images.classes, run)
        return TaskOutline(
            samples: "\(trainingCount) training and \(testCount) test images",
            plan: try run.stepPlan(
                dataName: training.file, sampleCount: trainingCount, lastBatch: images.lastBatch),
            model: try network.outline(), network: { try network.layers() })
    }

    /// The shape of a split's images, their labels checked.
    private func outline(
        of split: Split
    ) throws(DataError) -> (images: ImageOutline, file: String) {
        let columns = try data.columns(of: split)
        let image = try columns.outline("image", of: data.displayName)
        let label = try columns.outline("label", of: data.displayName)
        try ImageDataset.checkRange(label.labels, file: label.file, classes: images.classes)
        return (try image.images(), image.file)
    }

    /// The samples of a split.
    func dataset(_ split: Split) throws(DataError) -> ImageDataset {
        let dataset = try ImageDataset(try data.read(split), classes: images.classes)
        guard let limit = images.limit(split) else { return dataset }
        return try dataset.prefix(limit)
    }

    package func load(_ run: RunContext) throws -> any TrainingTask {
        try ImageTraining(self, run)
    }

    package func evaluation(
        of run: FinishedRun, _ scope: EvaluationScope
    ) throws -> any SharedWork {
        guard scope == .test else {
            throw UnsuitableRun("'--whole' is for texts; the run in \(run.folder) is one of images")
        }
        // The training split is not needed, and may not be there.
        let test = try dataset(.test)
        let network = try ConfiguredNetwork(
            model, input: test.outline.feature, outputs: images.classes, run.context
        ).layers()
        try run.load(into: network)
        return try ImageEvaluation(self, run.context.settings, test, network)
    }
}

extension ImageOutline {
    /// The model's input.
    var feature: FeatureShape { .image(channels: channels, height: height, width: width) }

    /// - Throws: `shapeMismatch` naming `file` when its images differ from these.
    func checkShape(of other: ImageOutline, file: String) throws(DataError) {
        guard shapeText == other.shapeText else {
            throw DataError(
                file: file,
                problem: .shapeMismatch(expected: shapeText, got: other.shapeText))
        }
    }
}
