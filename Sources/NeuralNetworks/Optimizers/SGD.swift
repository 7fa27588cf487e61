import CKernels
import Tensors

/// Stochastic gradient descent as PyTorch's `SGD`:
/// g += weightDecay * w;  v = momentum * v + g;  w -= rate * (nesterov ? g + momentum * v : v).
public struct SGD: Optimizer {
    /// PyTorch's name.
    public static let stateNames = ["momentum_buffer"]
    /// The velocities (kept at zero without momentum).
    public let states: [Tensor]
    private let momentum: Float, weightDecay: Float
    private let nesterov: Bool

    /// For `count` flat parameters.
    public init(count: Int, momentum: Double = 0, nesterov: Bool = false, weightDecay: Double = 0) {
        states = [Tensor(zeros: [count])]
        self.momentum = Float(momentum)
        self.weightDecay = Float(weightDecay)
        self.nesterov = nesterov
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        let first = range.lowerBound
        rondo_sgd(
            values.pointer + first, gradients, states[0].pointer + first, range.count,
            Float(learningRate), momentum, weightDecay * Float(decayFactor), gradientScale,
            nesterov)
    }

    /// Nothing without momentum and decay.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        momentum > 0 ? "momentum" : weightDecay * Float(decayFactor) > 0 ? "weight decay" : nil
    }
}
