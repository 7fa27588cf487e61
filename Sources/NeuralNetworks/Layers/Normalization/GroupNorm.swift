import Autodiff
import Tensors

/// Normalises each sample of [N, ..., C] over the positions and the channels of a group (Wu and He 2018).
public struct GroupNorm: Layer {
    /// [C], ones and zeros at first.
    public let weight: Parameter, bias: Parameter
    private let groups: Int
    private let epsilon: Float

    /// `groups` divides `channels`.
    public init(_ groups: Int, _ channels: Int, epsilon: Float = 1e-5) {
        self.groups = groups
        self.epsilon = epsilon
        weight = Parameter(Tensor(repeating: 1, [channels]))
        bias = Parameter(Tensor(zeros: [channels]))
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        groupNormalization(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
    }
}
