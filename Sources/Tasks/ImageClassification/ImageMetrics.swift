import Autodiff
import DataParallel
import Learning
import Tensors

/// The sums and figures of image classification. A new figure is a sum and a `Figure` here.
struct ImageMetrics: Sendable {
    private let classes: Int

    init(classes: Int) { self.classes = classes }

    /// With up to ten classes nearly everything is among the five most likely.
    private var hasTopFive: Bool { classes > 10 }

    var evaluationSums: [String] {
        ["images", "loss", "correct"] + (hasTopFive ? ["topFive"] : [])
    }

    var metrics: Metrics {
        let topFive = Figure.mean("test_top5_accuracy", of: 3, over: 0, .share, .higher)
        return Metrics(
            counted: "images", sums: ["correct"], training: Metrics.trainingFigures,
            evaluationSums: evaluationSums,
            evaluation: [
                .mean("test_accuracy", of: 2, over: 0, .share, .higher),
                .mean("test_loss", of: 1, over: 0, .number(decimals: 4), .lower),
            ] + (hasTopFive ? [topFive] : []), lossKey: "test_loss")
    }

    /// The sums of a training batch.
    func sums(_ loss: LossSums) -> PassSums {
        PassSums(loss, values: [Double(loss.correctCount)])
    }

    /// The sums of an evaluated batch.
    /// - Parameter logits: [N, classes]
    func evaluationSums(of logits: Tensor, _ labels: [Int32], _ loss: LossSums) -> [Double] {
        [Double(loss.sampleCount), Double(loss.lossSum), Double(loss.correctCount)]
            + (hasTopFive ? [Double(Self.topFiveCount(of: logits, labels))] : [])
    }

    /// The rows whose label is among the five largest scores; equals are ranked in their order.
    private static func topFiveCount(of logits: Tensor, _ labels: [Int32]) -> Int {
        let columns = logits.shape.columns
        return labels.enumerated().count { row, label in
            let scores = logits.pointer + row * columns
            let own = scores[Int(label)]
            let above = (0..<columns).count { column in
                scores[column] > own || (scores[column] == own && column < Int(label))
            }
            return above < 5
        }
    }
}
