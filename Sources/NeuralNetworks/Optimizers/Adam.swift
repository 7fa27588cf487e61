import CKernels
import Kernels
import Tensors

/// Adam (Kingma and Ba 2015, algorithm 1) as PyTorch's `Adam`; with `decoupledDecay` AdamW
/// (Loshchilov and Hutter 2019, algorithm 2) as PyTorch's `AdamW`.
public struct Adam: Optimizer {
    /// PyTorch's names.
    public static let stateNames = ["exp_avg", "exp_avg_sq"]
    /// First and second moments.
    public let states: [Tensor]
    private let beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double
    private let decoupledDecay: Bool

    /// For `count` flat parameters.
    public init(
        count: Int, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0, decoupledDecay: Bool = false
    ) {
        states = [Tensor(zeros: [count]), Tensor(zeros: [count])]
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        precondition(step >= 1, "Adam's step \(step) counts from 1")
        var settings = rondo_adam_settings(
            learningRate: Float(learningRate), beta1: Float(beta1), beta2: Float(beta2),
            epsilon: Float(epsilon), weightDecay: Float(weightDecay * decayFactor),
            gradientScale: gradientScale,
            biasCorrection1: Float(1 - PortableMath.power(beta1, step)),
            biasCorrection2: Float(1 - PortableMath.power(beta2, step)),
            decoupledDecay: decoupledDecay)
        let first = range.lowerBound
        rondo_adam(
            values.pointer + first, gradients, states[0].pointer + first,
            states[1].pointer + first, range.count, &settings)
    }

    /// Nothing without decay: the moments of a row stay as they are while it is not touched, as in
    /// PyTorch's `SparseAdam`. With epsilon where Adam has it, a step that touches all rows is
    /// Adam's.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        weightDecay * decayFactor > 0 ? "weight decay" : nil
    }
}
