import CKernels
import Tensors

/// RMSProp (Tieleman and Hinton 2012) as PyTorch's `RMSprop`:
/// g += weightDecay * w;  s = alpha * s + (1 - alpha) * g^2;  w -= rate * g / (sqrt(s) + epsilon);
/// centred, s is diminished by the square of the mean of g (Graves 2013, equation 40).
public struct RMSProp: Optimizer {
    /// PyTorch's names.
    public static let stateNames = ["square_avg", "momentum_buffer", "grad_avg"]
    /// Squares; with momentum or if centred the velocities, too; if centred the means.
    public let states: [Tensor]
    private let alpha: Double, epsilon: Double, momentum: Double, weightDecay: Double
    private let centered: Bool

    /// For `count` flat parameters.
    public init(
        count: Int, alpha: Double = 0.99, epsilon: Double = 1e-8, momentum: Double = 0,
        centered: Bool = false, weightDecay: Double = 0
    ) {
        let stateCount = centered ? 3 : momentum > 0 ? 2 : 1
        states = (0..<stateCount).map { _ in Tensor(zeros: [count]) }
        self.alpha = alpha
        self.epsilon = epsilon
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.centered = centered
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        let first = range.lowerBound
        var settings = rondo_rmsprop_settings(
            learningRate: Float(learningRate), alpha: Float(alpha), epsilon: Float(epsilon),
            momentum: Float(momentum), weightDecay: Float(weightDecay * decayFactor),
            gradientScale: gradientScale)
        rondo_rmsprop(
            values.pointer + first, gradients, states[0].pointer + first,
            momentum > 0 ? states[1].pointer + first : nil,
            centered ? states[2].pointer + first : nil, range.count, &settings)
    }

    /// Its averages of squares.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        "the moving averages of this optimizer"
    }
}
