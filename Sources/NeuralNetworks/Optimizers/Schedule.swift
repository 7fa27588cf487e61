import Kernels

/// The learning rate as a pure function of the step, so that a resumed run needs no state for it.
public struct Schedule: Sendable {
    /// What happens to the rate after the warm-up.
    public enum Shape: Sendable, Equatable {
        /// Nothing.
        case constant
        /// Multiplied by `factor` after every so many steps.
        case step(everySteps: Int, factor: Double)
        /// minimum + (rate - minimum) * (1 + cos(pi * progress)) / 2 (Loshchilov and Hutter 2017, equation 5),
        /// progress going from 0 at the end of the warm-up to 1 at the last step.
        case cosine(minimum: Double)
    }

    private let peak: Double
    private let shape: Shape
    private let warmupSteps: Int, totalSteps: Int

    /// - Parameter warmupSteps: the rate rises linearly, peak * (step + 1) / warmupSteps, over them.
    public init(peak: Double, shape: Shape, warmupSteps: Int = 0, totalSteps: Int) {
        self.peak = peak
        self.shape = shape
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The rate of one step, counted from 0.
    public func learningRate(step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
        switch shape {
        case .constant: return peak
        case .step(let everySteps, let factor):
            return peak * PortableMath.power(factor, step / everySteps)
        case .cosine(let minimum):
            let span = max(1, totalSteps - warmupSteps)
            let progress = min(1, Double(step - warmupSteps) / Double(span))
            let share = (1 + PortableMath.cosineOfHalfTurns(progress)) / 2
            return minimum + (peak - minimum) * share
        }
    }
}
