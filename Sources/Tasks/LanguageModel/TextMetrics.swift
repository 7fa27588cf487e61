import Autodiff
import DataParallel
import Learning

/// The sums and figures of a language model.
enum TextMetrics {
    static let evaluationSums = ["symbols", "loss"]

    static let metrics = Metrics(
        counted: "symbols", sums: ["correct"], training: Metrics.trainingFigures,
        evaluationSums: evaluationSums,
        evaluation: [
            .mean("validation_loss", of: 1, over: 0, .number(decimals: 4), .lower)
        ], lossKey: "validation_loss")

    /// The sums of a training batch.
    static func sums(_ loss: LossSums) -> PassSums {
        PassSums(loss, values: [Double(loss.correctCount)])
    }

    /// The sums of an evaluated batch.
    static func evaluationSums(_ loss: LossSums) -> [Double] {
        [Double(loss.sampleCount), Double(loss.lossSum)]
    }
}
