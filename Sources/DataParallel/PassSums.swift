import Autodiff

/// What a forward pass over one micro-batch comes to, beside the loss that is differentiated.
package struct PassSums: Equatable, Sendable {
    /// The loss, summed over what is predicted, each with its weight.
    package let loss: Float
    /// The sum of the weights; the step's loss and gradient are divided by that of all passes.
    package let weight: Float
    /// Predictions: samples, or the symbols of texts.
    package let count: Int
    /// The task's own sums.
    package let others: [Double]

    package init(loss: Float, weight: Float, count: Int, others: [Double] = []) {
        self.loss = loss
        self.weight = weight
        self.count = count
        self.others = others
    }

    /// Those of a loss of classes.
    package init(_ loss: LossSums, others: [Double]) {
        self.init(
            loss: loss.lossSum, weight: loss.weight, count: loss.sampleCount, others: others)
    }
}
