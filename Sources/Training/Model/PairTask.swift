import Autodiff
import DataParallel
import Datasets
import Models
import Configuration
import Learning

/// Turning one text into another.
package struct PairTask: TrainingTask {
    package let plan: StepPlan
    package let test: PairEvaluation
    private let training: PairAssembler
    private let batchSize: Int
    private let limit: Int

    package var input: FeatureShape { test.input }
    package var outputCount: Int { test.names.target.count }
    package var vocabularies: RunVocabularies? { test.names }
    package var evaluationBatchCount: Int { test.batchCount }

    /// Reads or makes the pairs; the vocabularies are those of the training part.
    package init(
        _ configuration: RunConfiguration, _ data: PairDataConfiguration
    ) throws(DataError) {
        let (training, test) = try data.parts()
        let names = try data.vocabularies(of: training)
        var assembler = try PairAssembler(
            training, sourceVocabulary: names.source, targetVocabulary: names.target,
            seed: configuration.seed, lengthLimit: data.lengthLimit)
        plan = try configuration.stepPlan(
            dataName: training.name, sampleCount: assembler.sampleCount)
        if data.bucketing { assembler.bucketPlan = plan }
        self.training = assembler
        self.test = try PairEvaluation(configuration, data, test: test, names: names)
        batchSize = configuration.batchSize
        limit = data.lengthLimit
    }

    /// For the run's header.
    package var summary: String {
        let left = training.droppedCount + test.pairs.droppedCount
        let names = test.names
        return "\(training.sampleCount) training and \(test.pairs.sampleCount) test pairs"
            + (left > 0 ? " (\(left) empty or of more than \(limit) symbols left out)" : "")
            + (names.isShared
                ? ", a vocabulary of \(names.source.count)"
                : ", vocabularies of \(names.source.count) and \(names.target.count)")
    }

    package func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { batch, model in
            guard batch.count > 0 else { return .empty }
            let pairs = TokenPairs(batch)
            return MicroBatchPass(sampleCount: batch.count) { model.loss(of: pairs, on: $0) }
        }
    }

    package func evaluate(batch: Int, model: TrainedModel) -> EvaluationSums {
        test.sums(of: batch, model: model)
    }
}

/// The pairs that are measured, cut into batches of a fixed size.
package struct PairEvaluation {
    package let pairs: PairAssembler
    package let names: RunVocabularies
    package let input: FeatureShape
    private let batchSize: Int
    private let batch: SequenceBatch

    /// - Parameters:
    ///   - test: the pairs; nil reads or makes them.
    ///   - names: the vocabularies that the model was trained with.
    package init(
        _ configuration: RunConfiguration, _ data: PairDataConfiguration, test: PairedText? = nil,
        names: RunVocabularies
    ) throws(DataError) {
        let test = if let test { test } else { try data.testPart() }
        pairs = try PairAssembler(
            test, sourceVocabulary: names.source, targetVocabulary: names.target,
            seed: configuration.seed, lengthLimit: data.lengthLimit)
        self.names = names
        input = data.input(names)
        batchSize = configuration.evaluation.batchSize
        batch = pairs.makeBatch(capacity: min(batchSize, pairs.sampleCount))
    }

    package var batchCount: Int { (pairs.sampleCount + batchSize - 1) / batchSize }

    /// Measures one batch: the loss given the right symbols so far, and how many targets come out right to
    /// the last symbol without them.
    package func sums(of index: Int, model: TrainedModel) -> EvaluationSums {
        let start = index * batchSize
        let end = min(start + batchSize, pairs.sampleCount)
        pairs.fill(batch, with: .inOrder(start..<end), order: nil)
        let (_, loss) = model.loss(of: TokenPairs(batch), on: Tape(.evaluation))
        let sources = TokenSources((start..<end).map { Array(pairs.sources[$0]) })
        let written = model.translator.greedyTargets(of: sources, marks: .ofVocabularies)
        let exact = zip(start..<end, written).count { Array(pairs.targets[$0]) == $1 }
        return EvaluationSums(
            lossSum: Double(loss.lossSum), lossCount: loss.sampleCount, correctCount: exact,
            sampleCount: end - start)
    }
}

extension PairDataConfiguration {
    /// What the model reads.
    package func input(_ names: RunVocabularies) -> FeatureShape {
        .source(symbols: names.source.count, limit: lengthLimit)
    }

    /// Reads or makes all pairs.
    func parts() throws(DataError) -> (training: PairedText, test: PairedText) {
        switch origin {
        case .generator(let generator):
            let made = try generator.pairs.parts(
                seed: generator.seed, trainingCount: generator.trainingPairs,
                testCount: generator.testPairs)
            return (
                try PairedText(made.training, name: generator.name),
                try PairedText(made.test, name: generator.name)
            )
        case .files(let files, .files(let test)): return (try files.read(), try test.read())
        case .files(let files, .share(let share)):
            return try files.read().split(testShare: share)
        }
    }

    /// The measured part alone.
    func testPart() throws(DataError) -> PairedText {
        switch origin {
        case .files(_, .files(let test)): return try test.read()
        case .files(let files, .share(let share)):
            return try files.read().split(testShare: share).test
        case .generator(let generator):
            // It is drawn first, whatever the number of training pairs.
            return try PairedText(
                generator.pairs.parts(
                    seed: generator.seed, trainingCount: 0, testCount: generator.testPairs
                ).test, name: generator.name)
        }
    }

    func vocabularies(of pairs: PairedText) throws(DataError) -> RunVocabularies {
        guard !sharedVocabulary else {
            return RunVocabularies(
                shared: Vocabulary(
                    recipe(sourceVocabulary), of: Array(pairs.sources) + Array(pairs.targets),
                    specialSymbols: true))
        }
        return RunVocabularies(
            source: Vocabulary(
                recipe(sourceVocabulary), of: pairs.sources, specialSymbols: true),
            target: Vocabulary(
                recipe(targetVocabulary), of: pairs.targets, specialSymbols: true))
    }

    private func recipe(_ kind: TextDataConfiguration.Vocabulary) -> VocabularyRecipe {
        switch kind {
        case .characters: .characters
        case .words: .words(limit: vocabularySize, minimumCount: 1)
        case .bytePairs: .bytePairs(mergeCount: max(0, vocabularySize - 256))
        }
    }
}

extension PairDataConfiguration.Files {
    fileprivate func read() throws(DataError) -> PairedText {
        switch self {
        case .table(let path): try PairedText(tabSeparated: path)
        case .sides(let sources, let targets): try PairedText(sources: sources, targets: targets)
        }
    }
}

extension PairDataConfiguration.Generator {
    fileprivate var pairs: SyntheticPairs {
        switch task {
        case .reversal(let symbols, let lengths): .reversal(symbols: symbols, lengths: lengths)
        case .dates: .dates
        }
    }

    /// Names the pairs in errors.
    fileprivate var name: String {
        switch task {
        case .reversal: "the generator \"reversal\""
        case .dates: "the generator \"dates\""
        }
    }
}

extension MicroBatchPass {
    /// The end of an epoch had nothing left for it; steps skip it.
    fileprivate static var empty: MicroBatchPass {
        MicroBatchPass(sampleCount: 0) { _ in
            preconditionFailure("a pass over a micro-batch without samples")
        }
    }
}

extension TokenPairs {
    /// Copies a batch, whose own memory may be filled anew afterwards.
    init(_ batch: SequenceBatch) {
        func copied(_ memory: UnsafeMutablePointer<Int32>, _ count: Int) -> [Int32] {
            Array(UnsafeBufferPointer(start: memory, count: count))
        }
        self.init(
            count: batch.count,
            sources: copied(batch.sources, batch.count * batch.sourceLength),
            sourceLengths: copied(batch.sourceLengths, batch.count),
            inputs: copied(batch.inputs, batch.count * batch.length),
            targets: copied(batch.targets, batch.count * batch.length))
    }
}

extension TargetMarks {
    /// Those of every vocabulary with special symbols.
    static let ofVocabularies = TargetMarks(
        padding: SpecialSymbol.padding.token, begin: SpecialSymbol.begin.token,
        end: SpecialSymbol.end.token)
}
