/// What a loss saw, as sums, so that parts computed anywhere can be added up.
public struct LossSums: Sendable, Equatable {
    /// The sum of the samples' losses.
    public var lossSum: Float
    /// Samples whose largest logit is at the label.
    public var correctCount: Int
    /// Samples.
    public var sampleCount: Int
    /// What the sum and its gradient are divided by in the end; the samples, unless they are weighted.
    public var weight: Float

    /// The sums of a pass whose samples count alike.
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
