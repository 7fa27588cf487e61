import CKernels
import Tensors

/// The exponential moving average of a model's parameters (Polyak and Juditsky 1992), which often
/// evaluates better than the last step's values: average += (1 - decay) * (values - average) after
/// each update.
public struct ExponentialAverage {
    /// The averages, laid out as the store's `values`.
    public let average: Tensor
    private let decay: Double
    private let warmsUp: Bool

    /// Starts at `values`.
    /// - Parameter warmsUp: uses min(decay, (1 + step) / (10 + step)) so that early values fade
    ///   faster.
    public init(of values: Tensor, decay: Double, warmsUp: Bool = false) {
        precondition((0...1).contains(decay), "decay \(decay) of an average")
        average = values.copied()
        self.decay = decay
        self.warmsUp = warmsUp
    }

    /// Takes in the values after update `step`, counted from 1.
    public func update(_ values: Tensor, step: Int) {
        precondition(values.count == average.count, "\(values.count) for \(average.count)")
        let early = Double(1 + step) / Double(10 + step)
        let decay = warmsUp ? min(decay, early) : decay
        rondo_moving_average(average.pointer, values.pointer, Float(1 - decay), values.count)
    }

    /// Runs `body` while `values` and average have changed places, for an evaluation.
    public func whileExchanged<Result>(
        with values: Tensor, _ body: () throws -> Result
    ) rethrows -> Result {
        exchange(with: values)
        defer { exchange(with: values) }
        return try body()
    }

    private func exchange(with values: Tensor) {
        precondition(values.count == average.count, "\(values.count) for \(average.count)")
        let kept = values.copied()
        values.pointer.update(from: average.pointer, count: values.count)
        average.pointer.update(from: kept.pointer, count: values.count)
    }
}
