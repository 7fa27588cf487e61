import CKernels
import Kernels
import Tensors

/// 2-d cross-correlation, as PyTorch's `conv2d`.
///
/// - Parameters:
///   - x: [N, H, W, C].
///   - weight: [O, C / groups, kH, kW]; bias: [O] or nil.
///   - tile: trades accuracy for speed with 3x3 kernels and stride 1.
/// - Returns: [N, H', W', O] with H' = (H + 2 padding - kH) / stride + 1.
/// Cost: 2 N H' W' O kH kW C / groups FLOPs forward, twice that backward (once without dx).
public func convolution2d(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: ImageWindow.Pair = .init(1),
    padding: ImageWindow.Pair = .init(0), groups: Int = 1, tile: WinogradTile = .standard
) -> Variable {
    let convolution = imageConvolution(
        x.shape, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
        tile: tile)
    let (window, outputs) = (convolution.window, convolution.outputChannels)
    let images = x.shape[0]
    let rows = images * window.outputHeight * window.outputWidth
    let y = Tensor(uninitialized: [images, window.outputHeight, window.outputWidth, outputs])
    let scratch = Tensor(uninitialized: [convolution.scratchCount(images: images)])
    convolution.forward(
        x.value.pointer, weight: weight.value.pointer, bias: bias?.value.pointer, y: y.pointer,
        images: images, scratch: scratch.pointer)
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    return x.tape.record(y, from: [x], using: parameters) { upstream in
        if let bias {
            x.tape.addGradient(to: bias) { gradient, beta in
                rondo_column_sums(gradient, upstream.pointer, rows, outputs, beta != 0)
            }
        }
        x.tape.addGradient(to: weight) { gradient, beta in
            let scratch = Tensor(uninitialized: [convolution.scratchCount(images: images)])
            convolution.weightGradient(
                x.value.pointer, dy: upstream.pointer, into: gradient, beta: beta, images: images,
                scratch: scratch.pointer)
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        let scratch = Tensor(
            uninitialized: [convolution.inputGradientScratchCount(images: images)])
        convolution.inputGradient(
            upstream.pointer, weight: weight.value.pointer, dx: dx.pointer, images: images,
            scratch: scratch.pointer)
        x.tape.addGradient(dx, to: x)
    }
}
