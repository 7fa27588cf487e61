/// The sums of a loss over a part of a batch; those of all parts are added up.
public struct LossSums: Sendable, Equatable {
    /// The sum of the samples' losses.
    public var lossSum: Float
    /// Samples whose largest logit is at the label.
    public var correctCount: Int
    /// Samples of the pass.
    public var sampleCount: Int
    /// The divisor of the sum and of its gradient: the samples, unless they are weighted.
    public var weight: Float

    /// The sums of a pass whose samples all have the weight 1.
    public init(lossSum: Float, correctCount: Int, sampleCount: Int) {
        self.init(
            lossSum: lossSum, correctCount: correctCount, sampleCount: sampleCount,
            weight: Float(sampleCount))
    }

    /// The sums of a pass.
    public init(lossSum: Float, correctCount: Int, sampleCount: Int, weight: Float) {
        self.lossSum = lossSum
        self.correctCount = correctCount
        self.sampleCount = sampleCount
        self.weight = weight
    }
}
