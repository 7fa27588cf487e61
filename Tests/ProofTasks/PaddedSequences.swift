import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// Sequences of unlike length in one batch, whose lengths travel beside them through recurrent layers, a residual
/// block and a layer by positions. Padding does not count.
struct PaddedSequences: ProofTask {
    static let name = "paddedSequences"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try PaddedTraining(run) }
}

private final class PaddedTraining: ProofTraining {
    private static let steps = 6
    private let layers: Sequential

    init(_ run: RunContext) throws {
        var stream = InitializationStream(seed: run.settings.seed)
        layers = Sequential(
            GRU(
                2, 4, options: .init(batchFirst: true, bidirectional: true), stream: &stream),
            Residual(
                Sequential(LayerNorm(8), Linear(8, 8, stream: &stream)), shortcut: Sequential()),
            Linear(8, 2, stream: &stream))
        try super.init(layers, run)
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        let values = numbers(count * Self.steps * 2, step, replica, 1)
        let lengths = numbers(count, step, replica, 2).map {
            Int32(1 + Int(($0 + 1) / 2 * Float(Self.steps - 1)))
        }
        let inputs = Features(
            tape.constant(Tensor(values, [count, Self.steps, 2])), lengths: lengths)
        var labels: [Int32] = []
        for row in 0..<count {
            for time in 0..<Self.steps {
                let isPadding = time >= Int(lengths[row])
                let first = values[(row * Self.steps + time) * 2]
                labels.append(isPadding ? SequenceBatch.ignoredTarget : first > 0 ? 1 : 0)
            }
        }
        let output = layers(inputs).values
        let (loss, sums) = softmaxCrossEntropy(
            reshape(output, [count * Self.steps, 2]), labels: labels)
        return (loss, sums.weight)
    }
}
