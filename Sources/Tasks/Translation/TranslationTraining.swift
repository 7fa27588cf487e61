import Autodiff
import Configuration
import DataParallel
import Datasets
import Learning
import Models
import NeuralNetworks

/// A worker's pairs and its network.
final class TranslationTraining: TrainingTask {
    let plan: StepPlan
    let updates: [UpdateRule]
    private let translator: any Translator
    private let loss: ClassificationLoss
    private let training: PairAssembler
    private let test: PairEvaluation
    private let batchSize: Int

    var network: any Module { translator }
    var evaluation: any SharedWork { test }

    init(_ task: TranslationTask, _ run: RunContext) throws {
        let parts = try PairParts(task, run)
        training = parts.training
        plan = parts.plan
        translator = try task.network(parts.vocabularies, run)
        test = PairEvaluation(parts.test, run.settings, translator)
        loss = ClassificationLoss(task.model.loss)
        updates = [UpdateRule(run.settings)]
        batchSize = run.settings.batchSize
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        PrefetchedPasses(
            training, work: plan.workList(steps: steps, replicas: replicas), capacity: batchSize
        ) { [translator, loss] batch in
            guard batch.count > 0 else { return .empty }
            let pairs = TokenPairs(batch)
            return MicroBatchPass(sampleCount: batch.count) { tape in
                let (loss, sums) = loss(
                    translator.logits(of: pairs, on: tape, map: nil),
                    labels: translator.labels(of: pairs))
                return (loss, PairMetrics.sums(sums))
            }
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

/// Pairs that a network is measured on, in batches of a fixed size.
struct PairEvaluation: SharedWork {
    private let pairs: PairAssembler
    private let translator: any Translator
    private let batches: EvaluationBatches
    private let batch: SequenceBatch

    init(_ pairs: PairAssembler, _ settings: RunSettings, _ translator: any Translator) {
        self.pairs = pairs
        self.translator = translator
        batches = EvaluationBatches(
            sampleCount: pairs.sampleCount, batchSize: settings.evaluation.batchSize)
        batch = pairs.makeBatch(capacity: batches.capacity)
    }

    var partCount: Int { batches.count }
    var valueCount: Int { PairMetrics.evaluationSums.count }

    /// Measures one batch: the loss given the right symbols so far, and how many targets come out
    /// right to the last symbol without them.
    func values(ofPart part: Int) -> [Double] {
        let rows = batches[part]
        pairs.fill(batch, with: .inOrder(rows), order: nil)
        let samples = TokenPairs(batch)
        let (_, loss) = softmaxCrossEntropy(
            translator.logits(of: samples, on: Tape(.evaluation), map: nil),
            labels: translator.labels(of: samples))
        let sources = TokenSources(rows.map { Array(pairs.sources[$0]) })
        let written = translator.greedyTargets(of: sources, marks: .ofVocabularies)
        let exact = zip(rows, written).count { Array(pairs.targets[$0]) == $1 }
        return PairMetrics.evaluationSums(loss, exact: exact, pairs: rows.count)
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
