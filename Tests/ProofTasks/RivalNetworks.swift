import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// Two networks trained in turn by optimizers of their own, as in a GAN with a loss of least squares (Mao et al. 2017):
/// two steps of the judge, one of the maker.
struct RivalNetworks: ProofTask {
    static let name = "rivalNetworks"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try RivalTraining(run) }
}

private struct Rivals: Module {
    let maker: Sequential
    let judge: Sequential

    init(seed: UInt64) {
        var stream = InitializationStream(seed: seed)
        maker = Sequential(
            Linear(2, 8, stream: &stream), Activation.tanh, Linear(8, 2, stream: &stream))
        judge = Sequential(
            Linear(2, 8, stream: &stream), Activation.tanh, Linear(8, 1, stream: &stream))
    }
}

private final class RivalTraining: ProofTraining {
    private let rivals: Rivals

    init(_ run: RunContext) throws {
        rivals = Rivals(seed: run.settings.seed)
        try super.init(rivals, run)
    }

    override var updates: [UpdateRule] {
        ["judge", "maker"].map {
            UpdateRule(match: $0, optimizer: settings.optimizer, schedule: settings.schedule)
        }
    }

    override func update(ofStep step: Int) -> Int { step % 3 == 2 ? 1 : 0 }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        let noise = Tensor(numbers(count * 2, step, replica, 1), [count, 2])
        let ones = Tensor(repeating: 1, [count, 1])
        let judged = rivals.judge(rivals.maker(tape.constant(noise)))
        if update(ofStep: step) == 1 {
            return (squaredLoss(judged, target: ones).loss, Float(count))
        }
        let real = Tensor(numbers(count * 2, step, replica, 2).map { $0 * 0.1 + 0.5 }, [count, 2])
        let right = squaredLoss(rivals.judge(tape.constant(real)), target: ones).loss
        let wrong = squaredLoss(judged, target: Tensor(zeros: [count, 1])).loss
        return (right + wrong, Float(2 * count))
    }
}
