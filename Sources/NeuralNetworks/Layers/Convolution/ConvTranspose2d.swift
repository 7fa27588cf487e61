import Autodiff
import Kernels
import Tensors

/// Transposed 2-d convolution: [N, H, W, C] -> [N, H', W', outputChannels], larger by the stride.
public struct ConvTranspose2d: Layer {
    /// [C, outputChannels / groups, kH, kW], as in PyTorch.
    public let weight: Parameter
    /// [outputChannels]
    public let bias: Parameter?
    private let stride: ImageWindow.Pair, padding: ImageWindow.Pair
    private let outputPadding: ImageWindow.Pair
    private let groups: Int

    /// Both drawn from `stream`. The fan in is that of PyTorch, which takes the weight for that of
    /// the convolution it is the adjoint of: outputChannels / groups * taps.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: ImageWindow.Pair,
        stride: ImageWindow.Pair = .init(1), padding: ImageWindow.Pair = .init(0),
        outputPadding: ImageWindow.Pair = .init(0), groups: Int = 1, bias: Bool = true,
        initializer: Initializer = .kaimingUniform, stream: inout InitializationStream
    ) {
        self.stride = stride
        self.padding = padding
        self.outputPadding = outputPadding
        self.groups = groups
        let taps = kernel.height * kernel.width
        let fanIn = outputChannels / groups * taps
        weight = Parameter(
            initializer.tensor(
                [inputChannels, outputChannels / groups, kernel.height, kernel.width],
                fanIn: fanIn, fanOut: inputChannels / groups * taps, stream: &stream))
        self.bias =
            bias
            ? Parameter(stream.uniform([outputChannels], bound: 1 / Double(fanIn).squareRoot()))
            : nil
    }

    /// [N, H, W, C] -> [N, H', W', outputChannels].
    public func callAsFunction(_ x: Variable) -> Variable {
        transposedConvolution2d(
            x, weight: weight, bias: bias, stride: stride, padding: padding,
            outputPadding: outputPadding, groups: groups)
    }
}
