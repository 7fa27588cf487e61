import Autodiff
import Configuration
import DataParallel
import Datasets
import Learning
import NeuralNetworks

/// A program's samples and network in one of its workers.
final class ProgramTraining: TrainingTask {
    let plan: StepPlan
    let updates: [UpdateRule]
    let metadata: [String: String]
    private let layers: Sequential
    private let samples: ProgramSamples
    private let classification: ClassificationLoss
    private let seed: UInt64
    private let test: ProgramEvaluation

    var network: any Module { layers }
    var evaluation: any SharedWork { test }

    init(
        _ samples: ProgramSamples, _ classification: ClassificationLoss, _ plan: StepPlan,
        _ layers: Sequential, metadata: [String: String], _ settings: RunSettings
    ) {
        self.samples = samples
        self.classification = classification
        self.plan = plan
        self.layers = layers
        self.metadata = metadata
        seed = settings.seed
        updates = [UpdateRule(settings)]
        test = ProgramEvaluation(samples, settings, layers)
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        ProgramPasses(
            samples.training, seed: seed,
            requests: AnyIterator(
                plan.workList(steps: steps, replicas: replicas).makeIterator())
        ) { [samples, layers, classification] batch in
            MicroBatchPass(sampleCount: batch.count) { tape in
                let (loss, sums) = samples.loss(of: batch, layers, classification, on: tape)
                return (loss, ProgramMetrics.sums(sums))
            }
        }
    }
}

/// Test samples that a network is measured on, in batches of a fixed size.
struct ProgramEvaluation: SharedWork {
    private let samples: ProgramSamples
    private let network: Sequential
    private let batches: EvaluationBatches

    init(_ samples: ProgramSamples, _ settings: RunSettings, _ network: Sequential) {
        self.samples = samples
        self.network = network
        batches = EvaluationBatches(
            sampleCount: samples.test.count, batchSize: settings.evaluation.batchSize)
    }

    var partCount: Int { batches.count }
    var valueCount: Int { ProgramMetrics.evaluationSums.count }

    func values(ofPart part: Int) -> [Double] {
        let batch = samples.test.batch(Array(batches[part]))
        let (_, sums) = samples.loss(of: batch, network, .plain, on: Tape(.evaluation))
        return ProgramMetrics.evaluationSums(sums)
    }
}

/// Hands out micro-batches of a program's samples.
private final class ProgramPasses: PassSource {
    private let samples: Samples
    private let seed: UInt64
    private let requests: AnyIterator<BatchRequest>
    private let makePass: (Batch) -> MicroBatchPass
    private var order: SampleOrder?

    init(
        _ samples: Samples, seed: UInt64, requests: AnyIterator<BatchRequest>,
        makePass: @escaping (Batch) -> MicroBatchPass
    ) {
        self.samples = samples
        self.seed = seed
        self.requests = requests
        self.makePass = makePass
    }

    func next(step: Int) -> MicroBatchPass {
        guard case .training(let epoch, let positions) = requests.next() else {
            preconditionFailure("the work list ended before step \(step)")
        }
        if order?.epoch != epoch {
            order = SampleOrder(seed: seed, epoch: epoch, sampleCount: samples.count)
        }
        let chosen = order?.samples[positions].map { Int($0) } ?? []
        return makePass(samples.batch(chosen))
    }

    func stop() {}
}
