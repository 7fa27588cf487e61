import Autodiff
import DataParallel
import Learning

/// The sums and figures of translation: the loss of the symbols of the targets, and the share of
/// pairs that come out right as a whole.
enum PairMetrics {
    static let evaluationSums = ["pairs", "exact", "symbols", "loss"]

    static let metrics = Metrics(
        counted: "pairs", sums: ["correct"], training: Metrics.trainingFigures,
        evaluationSums: evaluationSums,
        evaluation: [
            .mean("test_accuracy", of: 1, over: 0, .share, .higher),
            .mean("test_loss", of: 3, over: 2, .number(decimals: 4), .lower),
        ], lossKey: "test_loss")

    /// The sums of a training batch.
    static func sums(_ loss: LossSums) -> PassSums {
        PassSums(loss, values: [Double(loss.correctCount)])
    }

    /// The sums of an evaluated batch.
    static func evaluationSums(_ loss: LossSums, exact: Int, pairs: Int) -> [Double] {
        [Double(pairs), Double(exact), Double(loss.sampleCount), Double(loss.lossSum)]
    }
}
