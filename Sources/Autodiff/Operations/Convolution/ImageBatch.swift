import Kernels
import Tensors

/// The window geometry of an image batch [N, H, W, C].
/// - Precondition: the window fits; configs are checked before.
func imageWindow(
    _ shape: Shape, kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair
) -> ImageWindow {
    require(shape.rank == 4, "images are N x H x W x C, got \(shape)")
    guard
        let window = ImageWindow(
            height: shape[1], width: shape[2], channels: shape[3], kernel: kernel, stride: stride,
            padding: padding)
    else {
        endProgram("window \(kernel) stride \(stride) padding \(padding) on \(shape)")
    }
    return window
}

/// The convolution of an image batch [N, H, W, C] with a weight [O, C / groups, kH, kW].
func imageConvolution(
    _ shape: Shape, weight: Parameter, bias: Parameter?, stride: ImageWindow.Pair,
    padding: ImageWindow.Pair, groups: Int, tile: WinogradTile
) -> Convolution {
    require(
        shape.rank == 4 && weight.shape.rank == 4 && weight.shape[1] * groups == shape[3]
            && (bias.map { $0.shape == [weight.shape[0]] } ?? true),
        "conv2d: weight \(weight.shape) in \(groups) groups, bias \(shapeText(bias)), x \(shape)")
    let kernel = ImageWindow.Pair(weight.shape[2], weight.shape[3])
    let window = imageWindow(shape, kernel: kernel, stride: stride, padding: padding)
    return Convolution(
        window: window, outputChannels: weight.shape[0], groups: groups, tile: tile)
}
