import Autodiff
import Kernels
import Tensors

/// 2-d convolution: [N, H, W, C] -> [N, H', W', outputChannels].
public struct Conv2d: Layer {
    /// [outputChannels, C / groups, kH, kW], as in PyTorch.
    public let weight: Parameter
    /// [outputChannels]
    public let bias: Parameter?
    private let stride: ImageWindow.Pair, padding: ImageWindow.Pair, dilation: ImageWindow.Pair
    private let groups: Int
    private let tile: WinogradTile

    /// Weight and bias are drawn from `stream`; the bias uniform in +-1 / sqrt(fan in), as in
    /// PyTorch.
    /// - Parameters:
    ///   - kernel, stride: rows and columns.
    ///   - padding: zeros on each side.
    ///   - dilation: distance of the taps of the kernel; above 1 the images are copied to and fro,
    ///     and a stride saves nothing.
    ///   - groups: parts of the channels that are convolved by themselves; divides both numbers of
    ///     channels.
    ///   - tile: how 3x3 kernels are computed.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: ImageWindow.Pair,
        stride: ImageWindow.Pair = .init(1), padding: ImageWindow.Pair = .init(0),
        dilation: ImageWindow.Pair = .init(1), groups: Int = 1, bias: Bool = true,
        initializer: Initializer = .kaimingUniform, tile: WinogradTile = .standard,
        stream: inout InitializationStream
    ) {
        self.tile = tile
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
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

    /// [N, H, W, C] -> [N, H', W', outputChannels].
    public func callAsFunction(_ x: Variable) -> Variable {
        guard dilation == .init(1) else {
            return dilated(
                x, kernel: .init(weight.shape[2], weight.shape[3]), stride: stride,
                padding: padding, dilation: dilation
            ) {
                convolution2d($0, weight: weight, bias: bias, groups: groups, tile: tile)
            }
        }
        return convolution2d(
            x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
            tile: tile)
    }

    /// The convolution with the max pool behind it, directly or behind a ReLU: the whole of what
    /// lies between is never in memory.
    public func fused(with following: ArraySlice<any Layer>) -> FusedLayers? {
        guard dilation == .init(1) else { return nil }
        if let pool = following.first as? MaxPool2d {
            return FusedLayers(followingCount: 1) { pooled($0, pool.window(relu: false)) }
        }
        guard following.first?.isRelu == true,
            let pool = following.dropFirst().first as? MaxPool2d, pool.takesRelu
        else { return nil }
        return FusedLayers(followingCount: 2) { pooled($0, pool.window(relu: true)) }
    }

    private func pooled(_ x: Variable, _ pool: PoolWindow) -> Variable {
        convolution2dMaxPool(
            x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
            tile: tile, pool: pool)
    }
}
