import Autodiff
import Kernels
import Tensors

/// 2-d convolution: [N, H, W, C] -> [N, H', W', outputChannels].
public struct Conv2d: Layer {
    /// [outputChannels, C / groups, kH, kW], as in PyTorch.
    public let weight: Parameter
    /// [outputChannels]
    public let bias: Parameter?
    private let stride: ImageWindow.Pair, padding: ImageWindow.Pair
    private let groups: Int
    private let tile: WinogradTile

    /// Both drawn from `stream`; the bias uniform in +-1 / sqrt(fan in), as in PyTorch.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: ImageWindow.Pair,
        stride: ImageWindow.Pair = .init(1), padding: ImageWindow.Pair = .init(0), groups: Int = 1,
        bias: Bool = true, initializer: Initializer = .kaimingUniform,
        tile: WinogradTile = .standard, stream: inout InitializationStream
    ) {
        self.tile = tile
        self.stride = stride
        self.padding = padding
        self.groups = groups
        let taps = kernel.height * kernel.width
        let fanIn = inputChannels / groups * taps
        weight = Parameter(
            initializer.tensor(
                [outputChannels, inputChannels / groups, kernel.height, kernel.width],
                fanIn: fanIn, fanOut: outputChannels / groups * taps, stream: &stream))
        self.bias =
            bias
            ? Parameter(stream.uniform([outputChannels], bound: 1 / Double(fanIn).squareRoot()))
            : nil
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        convolution2d(
            x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
            tile: tile)
    }

    /// The forward pass and that of the pool behind it, without the whole of what lies between.
    func callAsFunction(_ x: Variable, pool: PoolWindow) -> Variable {
        convolution2dMaxPool(
            x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
            tile: tile, pool: pool)
    }
}
