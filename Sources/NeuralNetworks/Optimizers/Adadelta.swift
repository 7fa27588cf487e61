import CKernels
import Tensors

/// Adadelta (Zeiler 2012, algorithm 1) as PyTorch's `Adadelta`: the step is the gradient times the
/// ratio of the root mean squares of past changes and gradients.
public struct Adadelta: Optimizer {
    /// PyTorch's names.
    public static let stateNames = ["square_avg", "acc_delta"]
    /// Squares of gradients and of changes.
    public let states: [Tensor]
    private let rho: Float, epsilon: Float
    private let weightDecay: Double

    /// For `count` flat parameters.
    public init(count: Int, rho: Double = 0.9, epsilon: Double = 1e-6, weightDecay: Double = 0) {
        states = [Tensor(zeros: [count]), Tensor(zeros: [count])]
        self.rho = Float(rho)
        self.epsilon = Float(epsilon)
        self.weightDecay = weightDecay
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        let first = range.lowerBound
        rondo_adadelta(
            values.pointer + first, gradients, states[0].pointer + first,
            states[1].pointer + first, range.count, Float(learningRate), rho, epsilon,
            Float(weightDecay * decayFactor), gradientScale)
    }

    /// Its averages of squares.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        "the moving averages of this optimizer"
    }
}
