import Autodiff
import Tensors

/// y = x W^T + b: [..., inputFeatures] -> [..., outputFeatures].
public struct Linear: Layer {
    /// [outputFeatures, inputFeatures]
    public let weight: Parameter
    /// [outputFeatures]
    public let bias: Parameter?

    /// Both drawn from `stream`; the bias uniform in +-1 / sqrt(inputFeatures), as in PyTorch.
    public init(
        _ inputFeatures: Int, _ outputFeatures: Int, bias: Bool = true,
        initializer: Initializer = .kaimingUniform, stream: inout InitializationStream
    ) {
        weight = Parameter(
            initializer.tensor(
                [outputFeatures, inputFeatures], fanIn: inputFeatures, fanOut: outputFeatures,
                stream: &stream))
        self.bias =
            bias
            ? Parameter(
                stream.uniform([outputFeatures], bound: 1 / Double(inputFeatures).squareRoot()))
            : nil
    }

    /// [..., inputFeatures] -> [..., outputFeatures].
    public func callAsFunction(_ x: Variable) -> Variable { linear(x, weight: weight, bias: bias) }
}
