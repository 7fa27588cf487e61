import Tensors

// An optimizer is a rule over flat buffers: parameters, gradients and its own state have the same
// layout, so one pass over memory updates the whole model, or any slice of it.

/// One update rule with its state.
public protocol Optimizer {
    /// The names of the state buffers, as PyTorch's optimizers call them.
    static var stateNames: [String] { get }
    /// The state buffers, each as long as the trained parameters and sparse tables together; zeros
    /// at first.
    var states: [Tensor] { get }

    /// Updates `values` in place.
    /// - Parameters:
    ///   - gradients: sums over the samples; each is multiplied by `gradientScale` first.
    ///   - step: the number of this update, from 1.
    func update(
        _ values: Tensor, gradients: UnsafePointer<Float>, gradientScale: Float,
        learningRate: Double, step: Int)

    /// The same for the elements in `range` alone, whose gradients are `gradients`, with the weight
    /// decay multiplied by `decayFactor`.
    func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int)

    /// What changes rows of a sparse table that a step does not touch, so that this rule cannot
    /// train the table: nil if nothing does.
    ///
    /// - Parameters:
    ///   - range: of the table.
    ///   - decayFactor: as for `update`.
    func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String?
}

extension Optimizer {
    /// All elements with the whole decay.
    public func update(
        _ values: Tensor, gradients: UnsafePointer<Float>, gradientScale: Float,
        learningRate: Double, step: Int
    ) {
        update(
            values, in: 0..<values.count, gradients: gradients, gradientScale: gradientScale,
            learningRate: learningRate, decayFactor: 1, step: step)
    }
}
