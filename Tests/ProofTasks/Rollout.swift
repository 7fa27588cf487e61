import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// Rollouts that serve one step and are kept nowhere: a worker that joins is given them again.
struct Rollout: ProofTask {
    static let name = "rollout"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try RolloutTraining(run) }
}

private final class RolloutTraining: ProofTraining {
    private let layers: Sequential
    private var played: [[Double]] = []

    init(_ run: RunContext) throws {
        var stream = InitializationStream(seed: run.settings.seed)
        layers = Sequential(
            Linear(2, 8, stream: &stream), Activation.tanh, Linear(8, 1, stream: &stream))
        try super.init(layers, run)
    }

    override func work(beforeStep step: Int) -> (any SharedWork)? {
        Play(partCount: 8) { [self] part in
            let input = numbers(2, step, part, 1)
            let guess = layers(Tape(.evaluation).constant(Tensor(input, [1, 2]))).value.pointer[0]
            return [Double(input[0]), Double(input[1]), Double(input[0] - input[1] + guess / 8)]
        } keep: { [self] values in
            played = values
        }
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        // The evaluation of a run that has played nothing has nothing to measure.
        let rows = (0..<count).map { index in
            played.isEmpty ? [0, 0, 0] : played[(replica * count + index) % played.count]
        }
        let inputs = Tensor(rows.flatMap { [Float($0[0]), Float($0[1])] }, [count, 2])
        let targets = Tensor(rows.map { Float($0[2]) }, [count, 1])
        return (squaredLoss(layers(tape.constant(inputs)), target: targets).loss, Float(count))
    }
}
