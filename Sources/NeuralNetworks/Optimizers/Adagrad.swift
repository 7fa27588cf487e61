import CKernels
import Tensors

/// Adagrad (Duchi, Hazan and Singer 2011) as PyTorch's `Adagrad`: g += weightDecay * w;  s += g^2;
/// w -= rate / (1 + (step - 1) * rateDecay) * g / (sqrt(s) + epsilon).
public struct Adagrad: Optimizer {
    /// PyTorch's name.
    public static let stateNames = ["sum"]
    /// Sums of squares.
    public let states: [Tensor]
    private let rateDecay: Double, epsilon: Double, weightDecay: Double

    /// For `count` flat parameters; the sums start at `initialSum`.
    public init(
        count: Int, rateDecay: Double = 0, epsilon: Double = 1e-10, initialSum: Double = 0,
        weightDecay: Double = 0
    ) {
        states = [Tensor(repeating: Float(initialSum), [count])]
        self.rateDecay = rateDecay
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        precondition(step >= 1, "Adagrad's step \(step) counts from 1")
        let first = range.lowerBound
        rondo_adagrad(
            values.pointer + first, gradients, states[0].pointer + first, range.count,
            Float(learningRate / (1 + Double(step - 1) * rateDecay)), Float(epsilon),
            Float(weightDecay * decayFactor), gradientScale)
    }

    /// Nothing without decay: the sums grow by gradients alone.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        weightDecay * decayFactor > 0 ? "weight decay" : nil
    }
}
