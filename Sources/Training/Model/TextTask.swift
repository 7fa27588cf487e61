import Autodiff
import DataParallel
import Datasets
import Models
import Configuration
import Learning
import Tensors

/// Predicting the next symbol of a text.
package struct TextTask: TrainingTask {
    package let plan: StepPlan
    package let vocabulary: Vocabulary
    private let training: WindowAssembler
    private let validation: TextEvaluation
    private let batchSize: Int

    package var input: FeatureShape { .tokens(training.context) }
    package var outputCount: Int { vocabulary.count }
    package var vocabularies: RunVocabularies? { RunVocabularies(shared: vocabulary) }
    package var evaluationBatchCount: Int { validation.batchCount }

    /// Reads the text and makes its vocabulary, a pure function of the text.
    package init(
        _ configuration: RunConfiguration, _ data: TextDataConfiguration
    ) throws(DataError) {
        let text = try PlainText(path: data.path)
        vocabulary = Vocabulary(data.recipe, of: text)
        let (first, rest) = try text.split(trainingFraction: 1 - data.validationShare)
        training = try WindowAssembler(
            name: data.path, tokens: try vocabulary.encode(first), context: data.context,
            seed: configuration.seed,
            sampling: data.windows == .tiled ? .tiled : .random(perEpoch: nil))
        validation = try TextEvaluation(configuration, data, rest, vocabulary)
        plan = try configuration.stepPlan(dataName: data.path, sampleCount: training.sampleCount)
        batchSize = configuration.batchSize
    }

    package func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { batch, model in
            let windows = TokenWindows(batch)
            return MicroBatchPass(sampleCount: batch.count) { model.loss(of: windows, on: $0) }
        }
    }

    package func evaluate(batch: Int, model: TrainedModel) -> EvaluationSums {
        validation.sums(of: batch, model: model)
    }
}

/// A text that is measured, cut into windows side by side and these into batches of a fixed size.
package struct TextEvaluation {
    private let windows: WindowAssembler
    private let batchSize: Int
    private let batch: SequenceBatch

    /// - Throws: `unknownCharacter` or `tooFewTokens`.
    package init(
        _ configuration: RunConfiguration, _ data: TextDataConfiguration, _ text: PlainText,
        _ vocabulary: Vocabulary
    ) throws(DataError) {
        windows = try WindowAssembler(
            name: data.path, tokens: try vocabulary.encode(text), context: data.context,
            seed: configuration.seed, sampling: .tiled)
        batchSize = configuration.evaluation.batchSize
        batch = windows.makeBatch(capacity: min(batchSize, windows.evaluationCount))
    }

    package var batchCount: Int { (windows.evaluationCount + batchSize - 1) / batchSize }

    /// Evaluates one batch.
    package func sums(of index: Int, model: TrainedModel) -> EvaluationSums {
        let start = index * batchSize
        let end = min(start + batchSize, windows.evaluationCount)
        windows.fill(batch, with: .inOrder(start..<end), order: nil)
        let (_, sums) = model.loss(of: TokenWindows(batch), on: Tape(.evaluation))
        return EvaluationSums(
            lossSum: Double(sums.lossSum), correctCount: sums.correctCount,
            sampleCount: sums.sampleCount)
    }
}

extension TextDataConfiguration {
    fileprivate var recipe: VocabularyRecipe {
        switch vocabulary {
        case .characters: .characters
        case .words: .words(limit: vocabularySize, minimumCount: 1)
        case .bytePairs: .bytePairs(mergeCount: max(0, vocabularySize - 256))
        }
    }
}

/// A batch of windows as the network takes it.
package struct TokenWindows {
    /// [N, T]; symbols as floats, which are exact up to 2^24.
    package let inputs: Tensor
    /// [N T]; `SequenceBatch.ignoredTarget` where there is none.
    package let targets: [Int32]

    /// Copies a batch, whose own memory may be filled anew afterwards.
    package init(_ batch: SequenceBatch) {
        let count = batch.count * batch.length
        inputs = Tensor(uninitialized: [batch.count, batch.length])
        for position in 0..<count { inputs.pointer[position] = Float(batch.inputs[position]) }
        targets = Array(UnsafeBufferPointer(start: batch.targets, count: count))
    }
}
