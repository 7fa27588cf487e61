import Autodiff
import Configuration
import DataParallel
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// Both parts of a text as windows, and the vocabulary of the whole text, a pure function of it.
struct TextParts {
    let vocabulary: Vocabulary
    let training: WindowAssembler
    let validation: WindowAssembler

    init(_ task: LanguageModelTask, _ settings: RunSettings) throws(DataError) {
        let data = try task.data.readBoth()
        let first = try PlainText(data.training)
        let rest = try PlainText(data.test)
        let name = task.data.displayName
        vocabulary = Vocabulary(
            task.text.recipe, of: PlainText(joining: first, rest, name: name))
        training = try task.text.windows(
            try vocabulary.encode(first), name: name, seed: settings.seed, task.text.sampling)
        validation = try task.text.windows(
            try vocabulary.encode(rest), name: name, seed: settings.seed, .tiled)
    }
}

/// A worker's text and its network.
final class TextTraining: TrainingTask {
    let plan: StepPlan
    let updates: [UpdateRule]
    let metadata: [String: String]
    private let layers: Sequential
    private let loss: ClassificationLoss
    private let training: WindowAssembler
    private let validation: TextEvaluation
    private let batchSize: Int

    var network: any Module { layers }
    var evaluation: any SharedWork { validation }

    init(_ task: LanguageModelTask, _ run: RunContext) throws {
        let parts = try TextParts(task, run.settings)
        training = parts.training
        plan = try task.plan(parts, run)
        let network = task.network(parts.vocabulary, run)
        layers = try network.layers()
        metadata = network.metadata
        validation = TextEvaluation(parts.validation, run.settings, layers)
        loss = ClassificationLoss(task.model.loss)
        updates = [UpdateRule(run.settings)]
        batchSize = run.settings.batchSize
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { [layers, loss] batch in
            let windows = TokenWindows(batch)
            return MicroBatchPass(sampleCount: batch.count) { tape in
                let (loss, sums) = loss(
                    layers(tape.constant(windows.inputs)), labels: windows.targets)
                return (loss, TextMetrics.sums(sums))
            }
        }
    }
}

/// Windows of a text that a network is measured on, side by side, in batches of a fixed size.
struct TextEvaluation: SharedWork {
    private let windows: WindowAssembler
    private let network: Sequential
    private let batches: EvaluationBatches
    private let batch: SequenceBatch

    init(_ windows: WindowAssembler, _ settings: RunSettings, _ network: Sequential) {
        self.windows = windows
        self.network = network
        batches = EvaluationBatches(
            sampleCount: windows.evaluationCount, batchSize: settings.evaluation.batchSize)
        batch = windows.makeBatch(capacity: batches.capacity)
    }

    var partCount: Int { batches.count }
    var valueCount: Int { TextMetrics.evaluationSums.count }

    func values(ofPart part: Int) -> [Double] {
        windows.fill(batch, with: .inOrder(batches[part]), order: nil)
        let samples = TokenWindows(batch)
        let (_, sums) = softmaxCrossEntropy(
            network(Tape(.evaluation).constant(samples.inputs)), labels: samples.targets)
        return TextMetrics.evaluationSums(sums)
    }
}

/// A batch of windows as the network takes it.
struct TokenWindows {
    /// [N, T]; symbols as floats, which are exact up to 2^24.
    let inputs: Tensor
    /// [N T]; `SequenceBatch.ignoredTarget` where there is none.
    let targets: [Int32]

    /// Copies a batch, whose own memory may be filled anew afterwards.
    init(_ batch: SequenceBatch) {
        let count = batch.count * batch.length
        inputs = Tensor(uninitialized: [batch.count, batch.length])
        for position in 0..<count { inputs.pointer[position] = Float(batch.inputs[position]) }
        targets = Array(UnsafeBufferPointer(start: batch.targets, count: count))
    }
}
