// task "imageReconstruction": an autoencoder, which learns to give back the image that it is given through a layer
// that is too narrow to hold it (Hinton and Salakhutdinov 2006).

import Configuration
import Datasets
import Learning
import Models

/// Giving images back.
package struct ImageReconstructionTask: LearningTask {
    package static let name = "imageReconstruction"
    package static let formats: [any DataFormat.Type] = [IDXFormat.self]

    package var data: any DataFormat
    private let lastBatch: StepPlan.LastBatch
    private let model: ModelConfiguration

    package init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        let reader: ConfigurationReader
        (data, reader) = try configuration.data(Self.formats, taskKeys: ["lastBatch"])
        lastBatch = try reader.lastBatch()
        model = try ModelConfiguration(configuration)
        guard !model.isTranslator, model.loss.classWeights == nil else {
            throw configuration.conflict(
                "model", "images are given back by a list of layers, without weights of classes")
        }
    }

    package var resolved: [String: ConfigurationValue] {
        [
            "data": data.resolvedData(["lastBatch": .string(lastBatch.rawValue)]),
            "model": model.resolved,
        ]
    }

    /// The mean of the squared differences of pixels from 0 to 1.
    package var metrics: Metrics {
        Metrics(
            counted: "images", sums: [],
            training: [.mean("loss", of: 1, over: 2, .number(decimals: 4), .lower)],
            evaluationSums: ["images", "loss", "pixels"],
            evaluation: [.mean("test_loss", of: 1, over: 2, .number(decimals: 4), .lower)],
            lossKey: "test_loss")
    }

    package func outline(_ run: RunContext) throws -> TaskOutline {
        let training = try images(.training)
        let test = try images(.test)
        guard training.shapeText == test.shapeText else {
            throw DataError(
                file: data.displayName,
                problem: .shapeMismatch(expected: training.shapeText, got: test.shapeText))
        }
        let network = network(training, run)
        return TaskOutline(
            samples: "\(training.count) training and \(test.count) test images",
            plan: try plan(training.count, run), model: try network.outline(),
            network: { try network.layers() })
    }

    private func images(_ split: Split) throws(DataError) -> ImageOutline {
        try data.columns(of: split).outline("image", of: data.displayName).images()
    }

    private func plan(_ count: Int, _ run: RunContext) throws(DataError) -> StepPlan {
        try run.stepPlan(dataName: data.displayName, sampleCount: count, lastBatch: lastBatch)
    }

    /// The output is as long as an image.
    private func network(_ images: ImageOutline, _ run: RunContext) -> ConfiguredNetwork {
        ConfiguredNetwork(
            model,
            input: .image(
                channels: images.channels, height: images.height, width: images.width),
            outputs: images.imageByteCount, run)
    }

    /// Pixels from 0 to 1. Labels are read with them but play no part.
    private func assembler(_ split: Split, _ run: RunContext) throws -> ImageBatchAssembler {
        let dataset = try ImageDataset(try data.read(split), classes: 256)
        return try ImageBatchAssembler(
            dataset: dataset, seed: run.settings.seed,
            mean: [Double](repeating: 0, count: dataset.channels),
            standardDeviation: [Double](repeating: 1, count: dataset.channels))
    }

    package func load(_ run: RunContext) throws -> any TrainingTask {
        let training = try assembler(.training, run)
        return ReconstructionTraining(
            training: training, test: try assembler(.test, run),
            try network(training.dataset.outline, run).layers(),
            try plan(training.dataset.count, run), run.settings)
    }

    package func evaluation(
        of run: FinishedRun, _ scope: EvaluationScope
    ) throws -> any SharedWork {
        guard scope == .test else {
            throw UnsuitableRun("'--whole' is for texts; the run in \(run.folder) is one of images")
        }
        let test = try assembler(.test, run.context)
        let layers = try network(test.dataset.outline, run.context).layers()
        try run.load(into: layers)
        return ReconstructionEvaluation(test, layers, run.context.settings)
    }
}
