// Everything about a run that can be wrong is looked for before any worker starts: the data files
// by their headers, the model by its shapes, the number of workers by the replicas.

import Datasets
import ExitCodes
import Foundation
import Models
import Configuration
import Learning

/// More workers than replicas to share.
package struct WorkerCountError: ExitCoded, Equatable, Sendable, CustomStringConvertible {
    package let workers: Int
    package let replicas: Int

    package init(workers: Int, replicas: Int) {
        self.workers = workers
        self.replicas = replicas
    }

    package var exitCode: ExitCode { .usage }

    package var description: String {
        "\(workers) workers cannot share \(replicas) replica\(replicas == 1 ? "" : "s"); "
            + "use at most --workers \(replicas), or raise \"replicas\" in the configuration "
            + "(which changes the result)"
    }
}

/// What is known of a run before it begins.
package struct RunPreflight: Sendable {
    /// What is trained on and measured, in words.
    package let samples: String
    package let plan: StepPlan
    package let totalSteps: Int
    package let model: ModelOutline
    /// Kept in the run's folder; nil for images.
    package let vocabularies: RunVocabularies?

    /// - Throws: `WorkerCountError`, `DataError`, `ModelError` or `ParameterGroupError`.
    package init(
        _ configuration: RunConfiguration, workerCount: Int, parts: ProgramParts = .none
    ) throws {
        guard workerCount <= configuration.replicas else {
            throw WorkerCountError(workers: workerCount, replicas: configuration.replicas)
        }
        switch configuration.data {
        case .images(let data): try self.init(configuration, images: data, parts)
        case .text:
            let task = try configuration.loadTask()
            try self.init(
                configuration, task: task,
                samples: "\(task.plan.sampleCount) windows, a vocabulary of \(task.outputCount)",
                parts)
        case .pairs(let data):
            let task = try PairTask(configuration, data)
            try self.init(configuration, task: task, samples: task.summary, parts)
        case .own:
            let own = try parts.samples(for: configuration)
            try self.init(
                configuration, task: try configuration.loadTask(parts),
                samples: "\(own.training.count) training and \(own.test.count) test samples", parts)
        }
    }

    /// Whether the parameter groups are there can be said of the built model alone.
    private static func checkGroups(
        _ configuration: RunConfiguration, input: FeatureShape, outputs: Int, _ parts: ProgramParts
    ) throws {
        guard !configuration.optimizer.groups.isEmpty else { return }
        _ = try TrainedModel(
            configuration, input: input, outputs: outputs, stepsPerEpoch: 1, totalSteps: 1,
            parts: parts)
    }

    /// A text is read in full: its vocabulary is the model's output.
    private init(
        _ configuration: RunConfiguration, task: any TrainingTask, samples: String,
        _ parts: ProgramParts
    ) throws {
        self.samples = samples
        plan = task.plan
        vocabularies = task.vocabularies
        totalSteps = configuration.totalSteps(plan)
        model = try parts.outline(
            configuration, input: task.input, outputs: task.outputCount)
        try Self.checkGroups(
            configuration, input: task.input, outputs: task.outputCount, parts)
    }

    /// Of images the headers tell enough.
    private init(
        _ configuration: RunConfiguration, images data: ImageDataConfiguration,
        _ parts: ProgramParts
    ) throws {
        let training = try IDXReader.outline(
            images: data.trainImagesPath, labels: data.trainLabelsPath, classes: data.classes)
        let test = try IDXReader.outline(
            images: data.testImagesPath, labels: data.testLabelsPath, classes: data.classes)
        guard training.shapeText == test.shapeText else {
            throw DataError(
                file: data.testImagesPath,
                problem: .shapeMismatch(expected: training.shapeText, got: test.shapeText))
        }
        guard data.mean.count == training.channels else {
            throw DataError(
                file: data.trainImagesPath,
                problem: .channelMismatch(channels: training.channels, given: data.mean.count))
        }
        let trainingCount = try Self.count(
            data.trainSamples, "data.trainSamples", of: training.count, data.trainImagesPath)
        let testCount = try Self.count(
            data.testSamples, "data.testSamples", of: test.count, data.testImagesPath)
        vocabularies = nil
        samples = "\(trainingCount) training and \(testCount) test images"
        plan = try configuration.stepPlan(
            dataName: data.trainImagesPath, sampleCount: trainingCount)
        totalSteps = configuration.totalSteps(plan)
        model = try parts.outline(
            configuration, input: training.feature, outputs: data.classes)
        try Self.checkGroups(
            configuration, input: training.feature, outputs: data.classes, parts)
    }

    private static func count(
        _ limit: Int?, _ key: String, of available: Int, _ file: String
    ) throws(DataError) -> Int {
        guard let limit else { return available }
        guard limit <= available else {
            throw DataError(
                file: file,
                problem: .tooFewSamples(available: available, needed: limit, reason: key))
        }
        return limit
    }
}

extension RunConfiguration {
    /// The same with data paths that mean the same in any working folder: workers have their own.
    package var withAbsoluteDataPaths: RunConfiguration {
        var copy = self
        copy.data = data.mappingPaths { URL(fileURLWithPath: $0).path }
        return copy
    }
}
