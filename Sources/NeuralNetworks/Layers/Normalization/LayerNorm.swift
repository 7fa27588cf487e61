import Autodiff
import Tensors

/// Normalises the last dimensions of each sample by themselves (Ba, Kiros and Hinton 2016).
public struct LayerNorm: Layer {
    /// The normalised dimensions, ones at first; nil without scaling.
    public let weight: Parameter?
    /// The normalised dimensions, zeros at first.
    public let bias: Parameter?
    private let normalized: Shape
    private let epsilon: Float

    /// Over the last dimensions, which have the sizes `normalized`.
    public init(
        _ normalized: Shape, epsilon: Float = 1e-5, scaling: Bool = true, bias: Bool = true
    ) {
        self.normalized = normalized
        self.epsilon = epsilon
        weight = scaling ? Parameter(Tensor(repeating: 1, normalized)) : nil
        self.bias = scaling && bias ? Parameter(Tensor(zeros: normalized)) : nil
    }

    /// Over the last dimension alone.
    public init(_ features: Int, epsilon: Float = 1e-5, bias: Bool = true) {
        self.init([features], epsilon: epsilon, bias: bias)
    }

    /// [..., normalized] to the same.
    public func callAsFunction(_ x: Variable) -> Variable {
        layerNormalization(
            x, normalized: normalized, weight: weight, bias: bias, epsilon: epsilon)
    }
}
