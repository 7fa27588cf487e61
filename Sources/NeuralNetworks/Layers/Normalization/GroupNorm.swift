import Autodiff
import Tensors

/// Normalises each sample of [N, ..., C] over the positions and the channels of a group (Wu and He
/// 2018).
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

    /// [N, ..., C] to the same; one sample never changes another.
    public func callAsFunction(_ x: Variable) -> Variable {
        groupNormalization(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
    }

    /// The forward pass of a batch without padding, whose values would count in the statistics.
    public func callAsFunction(_ x: Features) -> Features {
        precondition(x.lengths == nil, "group norm over padded sequences")
        return Features(self(x.values))
    }
}
