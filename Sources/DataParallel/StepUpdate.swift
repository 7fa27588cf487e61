import NeuralNetworks

/// How a step's gradient changes the weights.
package struct StepUpdate {
    package let optimizer: any Optimizer
    package let clipping: GradientClipping
    package let learningRate: Double
    /// The number of this optimizer's updates, this one included; its bias correction counts them.
    package let number: Int
    /// Elements of the flat values that this optimizer leaves alone: their gradients count for
    /// nothing.
    package let otherRanges: [Range<Int>]

    package init(
        optimizer: any Optimizer, clipping: GradientClipping = .none, learningRate: Double,
        number: Int, otherRanges: [Range<Int>] = []
    ) {
        self.optimizer = optimizer
        self.clipping = clipping
        self.learningRate = learningRate
        self.number = number
        self.otherRanges = otherRanges
    }
}
