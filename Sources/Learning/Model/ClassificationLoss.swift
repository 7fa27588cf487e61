import Autodiff
import Configuration
import Datasets
import Models
import NeuralNetworks

/// Softmax and cross-entropy with the configured options in training; an evaluation measures the
/// plain loss, so that runs with different options can be compared.
package struct ClassificationLoss: Sendable {
    private let labelSmoothing: Float
    private let classWeights: [Float]?

    package init(_ configuration: LossConfiguration) {
        labelSmoothing = Float(configuration.labelSmoothing)
        classWeights = configuration.classWeights.map { $0.map { Float($0) } }
    }

    /// Without options.
    package static let plain = ClassificationLoss(labelSmoothing: 0, classWeights: nil)

    private init(labelSmoothing: Float, classWeights: [Float]?) {
        self.labelSmoothing = labelSmoothing
        self.classWeights = classWeights
    }

    /// The loss of a batch, summed over its rows; rows with `SequenceBatch.ignoredTarget` do not
    /// count.
    package func callAsFunction(
        _ logits: Variable, labels: [Int32]
    ) -> (loss: Variable, sums: LossSums) {
        guard logits.tape.settings.isTraining, labelSmoothing > 0 || classWeights != nil else {
            return softmaxCrossEntropy(logits, labels: labels)
        }
        let weighted = crossEntropy(
            logits, labels: labels, ignoredLabel: SequenceBatch.ignoredTarget,
            smoothing: labelSmoothing, classWeights: classWeights)
        return (weighted.loss, weighted.sums)
    }
}
