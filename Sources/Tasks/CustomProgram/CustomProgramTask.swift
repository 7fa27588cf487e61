// task "customProgram": samples and network of a program that uses the library.

import Configuration
import Datasets
import Learning
import Models

/// Training on the samples of a program.
package struct CustomProgramTask: LearningTask {
    package static let name = "customProgram"
    package static let formats: [any DataFormat.Type] = [ProgramFormat.self]

    package var data: any DataFormat
    private let targets: TargetKind
    private let lastBatch: StepPlan.LastBatch
    private let model: ModelConfiguration
    /// nil in `rondo` itself, which reads the folders of such runs but has no samples.
    private let samples: ProgramSamples?

    /// The task as the program lists it, with its samples.
    package static func kind(_ samples: ProgramSamples) -> TaskKind {
        TaskKind(Self.self) { reader throws(ConfigurationError) in
            try CustomProgramTask(reader, samples)
        }
    }

    package init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        try self.init(configuration, nil)
    }

    private init(
        _ configuration: ConfigurationReader, _ samples: ProgramSamples?
    ) throws(ConfigurationError) {
        let (format, reader) = try configuration.data(Self.formats, taskKeys: ["lastBatch"])
        data = format
        targets = (format as? ProgramFormat)?.targets ?? .classes
        lastBatch = try reader.lastBatch()
        model = try .layers(configuration, hasClasses: false)
        self.samples = samples
    }

    package var resolved: [String: ConfigurationValue] {
        [
            "data": data.resolvedData(["lastBatch": .string(lastBatch.rawValue)]),
            "model": model.resolved,
        ]
    }

    package var metrics: Metrics { ProgramMetrics.metrics(targets) }

    /// - Throws: `ModelError` in a process without the samples.
    private func requiredSamples() throws(ModelError) -> ProgramSamples {
        if let samples { return samples }
        throw ModelError(
            path: "data", layer: "custom",
            problem: "these samples are in the memory of "
                + (model.custom.map { "the program \"\($0.program)\"" }
                    ?? "the program that made the run")
                + "; train, measure and use the run with that program")
    }

    private func network(
        _ samples: ProgramSamples, _ run: RunContext
    ) -> ConfiguredNetwork {
        ConfiguredNetwork(
            model, input: samples.input, outputs: samples.outputCount, run,
            wantedOutput: samples.outputShape)
    }

    private func plan(_ samples: ProgramSamples, _ run: RunContext) throws(DataError) -> StepPlan {
        try run.stepPlan(
            dataName: "the program's samples", sampleCount: samples.training.count,
            lastBatch: lastBatch)
    }

    package func outline(_ run: RunContext) throws -> TaskOutline {
        let samples = try requiredSamples()
        let network = network(samples, run)
        return TaskOutline(
            samples: "\(samples.training.count) training and \(samples.test.count) test samples",
            plan: try plan(samples, run), model: try network.outline(),
            network: { try network.layers() })
    }

    package func load(_ run: RunContext) throws -> any TrainingTask {
        let samples = try requiredSamples()
        return ProgramTraining(
            samples, ClassificationLoss(model.loss), try plan(samples, run),
            try network(samples, run).layers(), metadata: network(samples, run).metadata,
            run.settings)
    }

    package func evaluation(
        of run: FinishedRun, _ scope: EvaluationScope
    ) throws -> any SharedWork {
        guard scope == .test else {
            throw UnsuitableRun(
                "'--whole' is for texts; the run in \(run.folder) is one of a program's samples")
        }
        let samples = try requiredSamples()
        let layers = try network(samples, run.context).layers()
        try run.load(into: layers)
        return ProgramEvaluation(samples, run.context.settings, layers)
    }
}
