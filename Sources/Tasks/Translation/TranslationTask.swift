// task "translation": a text for a text.

import Configuration
import Datasets
import Learning
import Models

/// Turning one text into another.
package struct TranslationTask: LearningTask {
    package static let name = "translation"
    package static let formats: [any DataFormat.Type] = [PairsFormat.self]
    package static let uses: [any ModelUse.Type] = [TranslateLines.self]
    package static let fileNames = RunVocabularies.fileNames

    package var data: any DataFormat
    let pairs: PairOptions
    let model: ModelConfiguration

    package init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        let reader: ConfigurationReader
        (data, reader) = try configuration.data(Self.formats, taskKeys: PairOptions.keys)
        pairs = try PairOptions(reader)
        model = try ModelConfiguration(configuration)
        guard model.isTranslator else {
            throw configuration.conflict(
                "model.type",
                "pairs of texts need a recurrentTranslator or a transformerTranslator")
        }
        try model.refuseClassWeights(configuration)
    }

    package var resolved: [String: ConfigurationValue] {
        ["data": data.resolvedData(pairs.resolved), "model": model.resolved]
    }

    package var metrics: Metrics { PairMetrics.metrics }

    /// The pairs are read or made in full: the vocabularies are the model's inputs and outputs.
    package func outline(_ run: RunContext) throws -> TaskOutline {
        let parts = try PairParts(self, run)
        return TaskOutline(
            samples: parts.summary(lengthLimit: pairs.lengthLimit), plan: parts.plan,
            model: try ModelBuilder.outline(
                of: model, input: input(parts.vocabularies),
                outputs: parts.vocabularies.target.count),
            files: parts.vocabularies.files,
            network: { try network(parts.vocabularies, run) })
    }

    package func load(_ run: RunContext) throws -> any TrainingTask {
        try TranslationTraining(self, run)
    }

    private func input(_ vocabularies: RunVocabularies) -> FeatureShape {
        .source(symbols: vocabularies.source.count, limit: pairs.lengthLimit)
    }

    func network(
        _ vocabularies: RunVocabularies, _ run: RunContext
    ) throws(ModelError) -> any Translator {
        try ModelBuilder.translator(
            model, input: input(vocabularies), outputs: vocabularies.target.count,
            seed: run.settings.seed)
    }

    /// The network of a finished run, with the vocabularies that it was trained with.
    func network(
        of run: FinishedRun
    ) throws -> (translator: any Translator, vocabularies: RunVocabularies) {
        let vocabularies = try RunVocabularies(runFolder: run.folder)
        let translator = try network(vocabularies, run.context)
        try run.load(into: translator)
        return (translator, vocabularies)
    }

    package func evaluation(
        of run: FinishedRun, _ scope: EvaluationScope
    ) throws -> any SharedWork {
        guard scope == .test else {
            throw UnsuitableRun(
                "'--whole' is for one text; the run in \(run.folder) is one of pairs of texts")
        }
        let (translator, vocabularies) = try network(of: run)
        let test = try pairs.assembler(
            PairedText(try data.read(.test)), vocabularies, seed: run.context.settings.seed)
        return PairEvaluation(test, run.context.settings, translator)
    }
}
