import Kernels

/// The learning rate as a pure function of the step, so that a resumed run needs no state for it.
public struct Schedule: Sendable {
    /// What happens to the rate after the warm-up.
    public enum Shape: Sendable, Equatable {
        /// Nothing.
        case constant
        /// Multiplied by `factor` at regular intervals, counted in steps.
        case step(everySteps: Int, factor: Double)
        /// minimum + (rate - minimum) * (1 + cos(pi * progress)) / 2 (Loshchilov and Hutter 2017,
        /// equation 5), progress going from 0 at the end of the warm-up to 1 at the last step.
        case cosine(minimum: Double)
        /// peak * sqrt(warmup / step), steps counted from 1 (Vaswani et al. 2017, section 5.3, for
        /// a peak that is reached at the end of the warm-up); without warm-up peak / sqrt(step).
        case inverseSquareRoot
        /// Up from peak / startDivisor to the peak over the share `rise` of all steps, then down to
        /// the start divided by `endDivisor`, both along half a cosine (Smith and Topin 2019), as
        /// PyTorch's `OneCycleLR`. The rise is the warm-up: `warmupSteps` is not looked at.
        case oneCycle(rise: Double = 0.3, startDivisor: Double = 25, endDivisor: Double = 1e4)
    }

    private let peak: Double
    private let shape: Shape
    private let warmupSteps: Int, totalSteps: Int

    /// - Parameter warmupSteps: the rate rises linearly, peak * (step + 1) / warmupSteps, over
    ///   them.
    public init(peak: Double, shape: Shape, warmupSteps: Int = 0, totalSteps: Int) {
        self.peak = peak
        self.shape = shape
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The rate of one step, counted from 0.
    public func learningRate(step: Int) -> Double {
        if case .oneCycle(let rise, let startDivisor, let endDivisor) = shape {
            return oneCycle(step, rise, startDivisor, endDivisor)
        }
        if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
        switch shape {
        case .oneCycle: return peak
        case .inverseSquareRoot:
            return peak * (Double(max(1, warmupSteps)) / Double(step + 1)).squareRoot()
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
    private func oneCycle(
        _ step: Int, _ rise: Double, _ startDivisor: Double, _ endDivisor: Double
    ) -> Double {
        let start = peak / startDivisor
        let top = max(0, rise * Double(totalSteps) - 1)
        let last = max(top + 1, Double(totalSteps - 1))
        let position = Double(step)
        if position < top { return along(start, peak, position / top) }
        return along(peak, start / endDivisor, min(1, (position - top) / (last - top)))
    }

    /// From one value to another along half a cosine.
    private func along(_ first: Double, _ last: Double, _ fraction: Double) -> Double {
        last + (first - last) * (1 + PortableMath.cosineOfHalfTurns(fraction)) / 2
    }
}
