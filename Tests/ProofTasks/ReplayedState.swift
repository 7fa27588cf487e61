import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// A replay buffer: before each step four parts play with the weights as they are, and what they saw goes into a
/// ring of 16 samples, from which the step draws. The buffer is replicated state.
struct ReplayedState: ProofTask {
    static let name = "replayedState"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try ReplayTraining(run) }
}

private final class ReplayTraining: ProofTraining {
    private static let capacity = 16
    private static let parts = 4

    private let layers: Sequential
    /// [capacity, 3]: two inputs and what is to be learnt of them.
    private let samples = Tensor(zeros: [capacity, 3])
    /// How many samples were ever stored.
    private let stored = Tensor(zeros: [1])

    init(_ run: RunContext) throws {
        var stream = InitializationStream(seed: run.settings.seed)
        layers = Sequential(
            Linear(2, 8, stream: &stream), Activation.tanh, Linear(8, 1, stream: &stream))
        try super.init(layers, run)
    }

    override var state: [NamedTensor] {
        [NamedTensor(name: "replay.samples", samples), NamedTensor(name: "replay.stored", stored)]
    }

    override func work(beforeStep step: Int) -> (any SharedWork)? {
        Play(partCount: Self.parts) { [self] part in
            let input = numbers(2, step, part, 1)
            let guess = layers(Tape(.evaluation).constant(Tensor(input, [1, 2]))).value.pointer[0]
            return [Double(input[0]), Double(input[1]), Double(input[0] * input[1] - guess / 4)]
        } keep: { [self] values in
            for value in values {
                let row = Int(stored.pointer[0]) % Self.capacity
                for column in 0..<3 { samples.pointer[row * 3 + column] = Float(value[column]) }
                stored.pointer[0] += 1
            }
        }
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        let available = max(1, min(Int(stored.pointer[0]), Self.capacity))
        let rows = numbers(count, step, replica, 2).map {
            min(available - 1, Int(($0 + 1) / 2 * Float(available)))
        }
        let inputs = rows.flatMap { [samples.pointer[$0 * 3], samples.pointer[$0 * 3 + 1]] }
        let targets = rows.map { samples.pointer[$0 * 3 + 2] }
        let output = layers(tape.constant(Tensor(inputs, [count, 2])))
        return (squaredLoss(output, target: Tensor(targets, [count, 1])).loss, Float(count))
    }
}

/// Three numbers a part, computed and kept by closures.
struct Play: SharedWork {
    let partCount: Int
    let valueCount = 3
    private let play: (Int) -> [Double]
    private let keep: ([[Double]]) -> Void

    init(
        partCount: Int, play: @escaping (Int) -> [Double], keep: @escaping ([[Double]]) -> Void
    ) {
        self.partCount = partCount
        self.play = play
        self.keep = keep
    }

    func values(ofPart part: Int) -> [Double] { play(part) }
    func take(_ values: [[Double]]) { keep(values) }
}
