import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// Several losses with weights, of one network with two outputs.
struct TwoLosses: ProofTask {
    static let name = "twoLosses"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try TwoLossTraining(run) }
}

private struct TwoHeads: Module {
    let body: Sequential
    let value: Linear
    let kind: Linear

    init(seed: UInt64) {
        var stream = InitializationStream(seed: seed)
        body = Sequential(Linear(2, 8, stream: &stream), Activation.tanh)
        value = Linear(8, 1, stream: &stream)
        kind = Linear(8, 2, stream: &stream)
    }
}

private final class TwoLossTraining: ProofTraining {
    private let heads: TwoHeads

    init(_ run: RunContext) throws {
        heads = TwoHeads(seed: run.settings.seed)
        try super.init(heads, run)
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        let inputs = numbers(count * 2, step, replica, 1)
        let products = (0..<count).map { inputs[$0 * 2] * inputs[$0 * 2 + 1] }
        let features = heads.body(tape.constant(Tensor(inputs, [count, 2])))
        let losses = WeightedLosses([
            (1, squaredLoss(heads.value(features), target: Tensor(products, [count, 1])).loss),
            (
                0.25,
                softmaxCrossEntropy(
                    heads.kind(features), labels: products.map { $0 > 0 ? 1 : 0 }
                ).loss
            ),
        ])
        return (losses.total, Float(count))
    }
}
