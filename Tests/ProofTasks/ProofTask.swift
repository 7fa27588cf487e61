import Autodiff
import Configuration
import DataParallel
import Datasets
import Kernels
import Learning
import Models
import NeuralNetworks
import Tensors

/// `data.format: "counters"`: samples are drawn from counters, so there is nothing to read.
struct CounterFormat: DataFormat {
    static let name = "counters"
    static let keys: [String] = []

    var paths: [String] {
        get { [] }
        set {}
    }
    var resolved: [String: ConfigurationValue] { [:] }

    init(_ data: ConfigurationReader) throws(ConfigurationError) {}

    func columns(of split: Split) throws(DataError) -> [Column.Outline] { [] }

    func read(_ split: Split) throws(DataError) -> Dataset { Dataset(name: Self.name, columns: []) }
}

/// A task without files: a network, and passes that are functions of (seed, step, replica).
protocol ProofTask: LearningTask {
    init(data: any DataFormat)
    func training(_ run: RunContext) throws -> ProofTraining
}

extension ProofTask {
    static var formats: [any DataFormat.Type] { [CounterFormat.self] }
    static var keys: [String] { ["data"] }

    init(_ configuration: ConfigurationReader) throws(ConfigurationError) {
        self.init(data: try configuration.data(Self.formats, taskKeys: []).format)
    }

    var resolved: [String: ConfigurationValue] { ["data": data.resolvedData([:])] }

    var metrics: Metrics {
        Metrics(
            counted: "samples", sums: [],
            training: [.mean("loss", of: 1, over: 2, .number(decimals: 4), .lower)],
            evaluationSums: ["samples", "loss"],
            evaluation: [.mean("test_loss", of: 1, over: 0, .number(decimals: 4), .lower)],
            lossKey: "test_loss")
    }

    func outline(_ run: RunContext) throws -> TaskOutline {
        let training = try training(run)
        return TaskOutline(
            samples: "samples of counters", plan: training.plan,
            model: ModelOutline(
                custom: Self.name, program: "proofs", input: .vector(1), output: .vector(1),
                scalarCount: ParameterStore(adopting: training.network).scalarCount),
            network: { training.network })
    }

    func load(_ run: RunContext) throws -> any TrainingTask { try training(run) }

    func evaluation(of run: FinishedRun, _ scope: EvaluationScope) throws -> any SharedWork {
        let training = try training(run.context)
        try run.load(into: training.network)
        return training.evaluation
    }
}

/// What the proofs' workers have in common.
class ProofTraining: TrainingTask {
    let network: any Module
    let plan: StepPlan
    let settings: RunSettings

    init(_ network: any Module, _ run: RunContext) throws {
        self.network = network
        settings = run.settings
        plan = try run.stepPlan(dataName: "counters", sampleCount: 256, lastBatch: .pad)
    }

    var updates: [UpdateRule] { [UpdateRule(settings)] }
    func update(ofStep step: Int) -> Int { 0 }
    var state: [NamedTensor] { [] }
    func work(beforeStep step: Int) -> (any SharedWork)? { nil }

    /// The loss of `count` samples, summed, and its weight.
    func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        preconditionFailure("a proof without a loss")
    }

    final func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        ProofPasses(self, plan, steps, replicas)
    }

    final var evaluation: any SharedWork { ProofEvaluation(self) }

    /// Numbers from -1 to 1, a function of the arguments alone.
    final func numbers(_ count: Int, _ step: Int, _ part: Int, _ purpose: UInt64) -> [Float] {
        let generator = Philox4x32(key: settings.seed ^ purpose << 32)
        return (0..<count).map { index in
            let block = generator.block(
                counter: (UInt64(index), UInt64(step) << 20 | UInt64(part)))
            return Float(block.0 >> 8) / Float(1 << 23) - 1
        }
    }
}

private final class ProofPasses: PassSource {
    private let task: ProofTraining
    private var requests: [(replica: Int, count: Int)]

    init(_ task: ProofTraining, _ plan: StepPlan, _ steps: Range<Int>, _ replicas: Range<Int>) {
        self.task = task
        requests = steps.flatMap { step in
            replicas.flatMap { replica in
                (0..<plan.accumulation).map { microBatch in
                    let slot = plan.slot(step: step, replica: replica, microBatch: microBatch)
                    return (replica, slot.positions.count)
                }
            }
        }.reversed()
    }

    func next(step: Int) -> MicroBatchPass {
        guard let (replica, count) = requests.popLast() else {
            preconditionFailure("no pass left for step \(step)")
        }
        return MicroBatchPass(sampleCount: count) { [task] tape in
            let (loss, weight) = task.loss(on: tape, step: step, replica: replica, count: count)
            return (
                loss,
                PassSums(lossSum: loss.value.pointer[0], lossWeight: weight, sampleCount: count)
            )
        }
    }

    func stop() {}
}

/// The loss of four numbered batches that no step uses.
private struct ProofEvaluation: SharedWork {
    private let task: ProofTraining
    let partCount = 4
    let valueCount = 2

    init(_ task: ProofTraining) { self.task = task }

    func values(ofPart part: Int) -> [Double] {
        let (loss, _) = task.loss(
            on: Tape(.evaluation), step: 0, replica: 1000 + part, count: 8)
        return [8, Double(loss.value.pointer[0])]
    }
}
