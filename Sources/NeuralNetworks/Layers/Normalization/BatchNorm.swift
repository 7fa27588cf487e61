import Autodiff
import Tensors

/// Batch normalisation over all dimensions but the last, [..., C] (Ioffe and Szegedy 2015).
public struct BatchNorm: Layer {
    /// [C], ones and zeros at first.
    public let weight: Parameter, bias: Parameter
    /// [C], zeros and ones at first.
    public let runningMean: RunningStatistic, runningVar: RunningStatistic
    private let epsilon: Float

    /// `momentum` as in PyTorch: the share of the new value.
    public init(_ channels: Int, momentum: Float = 0.1, epsilon: Float = 1e-5) {
        weight = Parameter(Tensor(repeating: 1, [channels]))
        bias = Parameter(Tensor(zeros: [channels]))
        runningMean = RunningStatistic(Tensor(zeros: [channels]), momentum: momentum)
        runningVar = RunningStatistic(Tensor(repeating: 1, [channels]), momentum: momentum)
        self.epsilon = epsilon
    }

    /// In training with the statistics of the batch, else with the running ones.
    public func callAsFunction(_ x: Variable) -> Variable {
        callAsFunction(x, adding: nil, relu: false)
    }

    /// The forward pass of a batch without padding, whose values would count in the statistics.
    public func callAsFunction(_ x: Features) -> Features {
        precondition(x.lengths == nil, "batch norm over padded sequences")
        return Features(self(x.values))
    }

    /// The norm with the ReLU behind it.
    public func fused(with following: ArraySlice<any Layer>) -> FusedLayers? {
        guard following.first?.isRelu == true else { return nil }
        return FusedLayers(followingCount: 1) { self($0, adding: nil, relu: true) }
    }

    /// The forward pass with what often follows it, in one run over memory:
    /// relu(norm(x) + residual).
    public func callAsFunction(_ x: Variable, adding residual: Variable?, relu: Bool) -> Variable {
        batchNormalization(
            x, weight: weight, bias: bias, runningMean: runningMean, runningVariance: runningVar,
            epsilon: epsilon, adding: residual, relu: relu)
    }
}
