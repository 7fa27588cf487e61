import Autodiff

/// What a pass over one micro-batch saw, as sums: parts that are computed anywhere can be added up.
package struct PassSums: Equatable, Sendable {
    package var lossSum: Float
    /// What the loss and its gradient are divided by in the end: the samples, unless they are
    /// weighted.
    package var lossWeight: Float
    /// Samples that the loss was summed over: images, or symbols.
    package var sampleCount: Int
    /// The sums that the task takes beside these, in the order in which its metrics name them.
    package var values: [Double]

    package init(lossSum: Float, lossWeight: Float, sampleCount: Int, values: [Double] = []) {
        self.lossSum = lossSum
        self.lossWeight = lossWeight
        self.sampleCount = sampleCount
        self.values = values
    }

    /// The sums of one of the engine's losses.
    package init(_ sums: LossSums, values: [Double] = []) {
        self.init(
            lossSum: sums.lossSum, lossWeight: sums.weight, sampleCount: sums.sampleCount,
            values: values)
    }
}

/// A forward pass over one micro-batch, and how many samples of the data set it holds.
package struct MicroBatchPass {
    package let sampleCount: Int
    package let forward: (Tape) -> (loss: Variable, sums: PassSums)

    package init(sampleCount: Int, forward: @escaping (Tape) -> (loss: Variable, sums: PassSums)) {
        self.sampleCount = sampleCount
        self.forward = forward
    }

    /// A pass whose loss is one of the engine's.
    ///
    /// - Parameters:
    ///   - values: the task's own sums, from those of the loss.
    ///   - loss: the forward pass.
    package init(
        sampleCount: Int, values: @escaping (LossSums) -> [Double] = { _ in [] },
        loss: @escaping (Tape) -> (loss: Variable, sums: LossSums)
    ) {
        self.init(sampleCount: sampleCount) { tape in
            let (loss, sums) = loss(tape)
            return (loss, PassSums(sums, values: values(sums)))
        }
    }
}
