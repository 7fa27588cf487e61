import Autodiff
import DataParallel
import Learning
import Tensors

/// The sums and figures of image classification. A new figure is a sum and a `Figure` here.
struct ImageMetrics: Sendable {
    private let classes: Int

    init(classes: Int) { self.classes = classes }

    var evaluationSums: [String] { ["images", "loss", "correct"] }

    var metrics: Metrics {
        Metrics(
            counted: "images", sums: ["correct"], training: Metrics.trainingFigures,
            evaluationSums: evaluationSums,
            evaluation: [
                .mean("test_accuracy", of: 2, over: 0, .share, .higher),
                .mean("test_loss", of: 1, over: 0, .number(decimals: 4), .lower),
            ], lossKey: "test_loss")
    }

    /// The sums of a training batch.
    func sums(_ loss: LossSums) -> PassSums {
        PassSums(loss, values: [Double(loss.correctCount)])
    }

    /// The sums of an evaluated batch.
    /// - Parameter logits: [N, classes]
    func evaluationSums(of logits: Tensor, _ labels: [Int32], _ loss: LossSums) -> [Double] {
        [Double(loss.sampleCount), Double(loss.lossSum), Double(loss.correctCount)]
    }
}
