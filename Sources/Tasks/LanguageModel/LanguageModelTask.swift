// task "languageModel": the next symbol of a text.

import Configuration
import Datasets
import Learning
import Models
import NeuralNetworks

/// Predicting the next symbol of a text.
package struct LanguageModelTask: LearningTask {
    package static let name = "languageModel"
    package static let formats: [any DataFormat.Type] = [PlainTextFormat.self]
    package static let uses: [any ModelUse.Type] = [GenerateText.self]
    package static let fileNames = RunVocabularies.fileNames

    package var data: any DataFormat
    let text: TextOptions
    let model: ModelConfiguration

    package init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        let reader: ConfigurationReader
        (data, reader) = try configuration.data(Self.formats, taskKeys: TextOptions.keys)
        text = try TextOptions(reader)
        model = try .layers(configuration, hasClasses: false)
    }

    package var resolved: [String: ConfigurationValue] {
        ["data": data.resolvedData(text.resolved), "model": model.resolved]
    }

    package var metrics: Metrics { TextMetrics.metrics }

    /// A text is read in full: its vocabulary is the model's output.
    package func outline(_ run: RunContext) throws -> TaskOutline {
        let parts = try TextParts(self, run.settings)
        let plan = try plan(parts, run)
        let network = network(parts.vocabulary, run)
        return TaskOutline(
            samples: "\(plan.sampleCount) windows, a vocabulary of \(parts.vocabulary.count)",
            plan: plan, model: try network.outline(),
            files: RunVocabularies(shared: parts.vocabulary).files,
            network: { try network.layers() })
    }

    package func load(_ run: RunContext) throws -> any TrainingTask {
        try TextTraining(self, run)
    }

    func plan(_ parts: TextParts, _ run: RunContext) throws(DataError) -> StepPlan {
        try run.stepPlan(
            dataName: data.displayName, sampleCount: parts.training.sampleCount,
            lastBatch: text.lastBatch)
    }

    func network(_ vocabulary: Vocabulary, _ run: RunContext) -> ConfiguredNetwork {
        ConfiguredNetwork(
            model, input: .tokens(text.context), outputs: vocabulary.count, run)
    }

    /// The network of a finished run. The symbols are those of the weights, whatever another text
    /// would make of them.
    func network(of run: FinishedRun) throws -> (layers: Sequential, vocabulary: Vocabulary) {
        let vocabulary = try RunVocabularies(runFolder: run.folder).source
        let layers = try network(vocabulary, run.context).layers()
        try run.load(into: layers)
        return (layers, vocabulary)
    }

    package func evaluation(
        of run: FinishedRun, _ scope: EvaluationScope
    ) throws -> any SharedWork {
        let measured: PlainText
        switch scope {
        case .test: measured = try PlainText(try data.read(.test))
        case .whole:
            let both = try data.readBoth()
            measured = PlainText(
                joining: try PlainText(both.training), try PlainText(both.test),
                name: data.displayName)
        }
        let (layers, vocabulary) = try network(of: run)
        return try TextEvaluation(
            text.windows(
                try vocabulary.encode(measured), name: data.displayName,
                seed: run.context.settings.seed, .tiled),
            run.context.settings, layers)
    }
}
