import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// A table of many rows, of which a step looks up few: these alone are sent and updated. Replicas
/// share some rows, and a replica looks some up twice.
struct SparseRows: ProofTask {
    static let name = "sparseRows"
    var data: any DataFormat

    func training(_ run: RunContext) throws -> ProofTraining { try SparseTraining(run) }
}

private struct TableNetwork: Module {
    let table: Embedding
    let output: Linear
}

private final class SparseTraining: ProofTraining {
    private static let rows = 5000
    private static let lookups = 6
    private let model: TableNetwork

    init(_ run: RunContext) throws {
        var stream = InitializationStream(seed: run.settings.seed)
        model = TableNetwork(
            table: Embedding(Self.rows, 8, isSparse: true, stream: &stream),
            output: Linear(8, 4, stream: &stream))
        try super.init(model, run)
    }

    override func loss(
        on tape: Tape, step: Int, replica: Int, count: Int
    ) -> (loss: Variable, weight: Float) {
        // Squares, so that low rows are looked up far more often than high ones.
        let tokens = numbers(count * Self.lookups, step, replica, 1).map { number in
            min(Int32(Self.rows - 1), Int32(number * number * Float(Self.rows)))
        }
        let vectors = model.table(tokens, shape: [tokens.count], tape: tape)
        let (loss, sums) = softmaxCrossEntropy(
            model.output(vectors), labels: tokens.map { $0 % 4 })
        return (loss, sums.weight)
    }
}
