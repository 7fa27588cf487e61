import Autodiff
import Tensors

/// 1-d convolution: [N, L, C] -> [N, L', outputChannels].
public struct Conv1d: Layer {
    /// [outputChannels, C / groups, k], as in PyTorch.
    public let weight: Parameter
    /// [outputChannels]
    public let bias: Parameter?
    private let stride: Int, padding: Int, groups: Int

    /// Both drawn from `stream`; the bias uniform in +-1 / sqrt(fan in), as in PyTorch.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: Int, stride: Int = 1,
        padding: Int = 0, groups: Int = 1, bias: Bool = true,
        initializer: Initializer = .kaimingUniform, stream: inout InitializationStream
    ) {
        self.stride = stride
        self.padding = padding
        self.groups = groups
        let fanIn = inputChannels / groups * kernel
        weight = Parameter(
            initializer.tensor(
                [outputChannels, inputChannels / groups, kernel], fanIn: fanIn,
                fanOut: outputChannels / groups * kernel, stream: &stream))
        self.bias =
            bias
            ? Parameter(stream.uniform([outputChannels], bound: 1 / Double(fanIn).squareRoot()))
            : nil
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        convolution1d(
            x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups)
    }
}
