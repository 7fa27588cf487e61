import Autodiff
import DataParallel
import Learning

/// The sums and figures of a program's samples. Values have no share of right answers.
enum ProgramMetrics {
    static let evaluationSums = ["samples", "loss", "correct"]

    static func metrics(_ targets: TargetKind) -> Metrics {
        let accuracy = Figure.mean("test_accuracy", of: 2, over: 0, .share, .higher)
        let loss = Figure.mean("test_loss", of: 1, over: 0, .number(decimals: 4), .lower)
        return Metrics(
            counted: "samples", sums: ["correct"], training: Metrics.trainingFigures,
            evaluationSums: evaluationSums,
            evaluation: targets == .classes ? [accuracy, loss] : [loss], lossKey: "test_loss")
    }

    /// The sums of a training batch.
    static func sums(_ loss: LossSums) -> PassSums {
        PassSums(loss, values: [Double(loss.correctCount)])
    }

    /// The sums of an evaluated batch.
    static func evaluationSums(_ loss: LossSums) -> [Double] {
        [Double(loss.sampleCount), Double(loss.lossSum), Double(loss.correctCount)]
    }
}
