import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// A network whose first half is frozen: it has no gradients, no bytes on the ring, and stays as it was.
struct FrozenHalf: ProofTask {
    static let name = "frozenHalf"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try FrozenTraining(run) }
}

private final class FrozenTraining: ProofTraining {
    private let layers: Sequential

    init(_ run: RunContext) throws {
        var stream = InitializationStream(seed: run.settings.seed)
        layers = Sequential(
            Linear(2, 8, stream: &stream), Activation.tanh, Linear(8, 1, stream: &stream))
        layers.freeze { $0.hasPrefix("0.") }
        try super.init(layers, run)
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        let inputs = numbers(count * 2, step, replica, 1)
        let targets = (0..<count).map { inputs[$0 * 2] * inputs[$0 * 2 + 1] }
        let output = layers(tape.constant(Tensor(inputs, [count, 2])))
        return (squaredLoss(output, target: Tensor(targets, [count, 1])).loss, Float(count))
    }
}
