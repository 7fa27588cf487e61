import CKernels
import Kernels
import Tensors

/// The adjoint of a 2-d convolution, as PyTorch's `conv_transpose2d`.
///
/// The convolution that takes y's shape to x's with the same weight is run backward: its gradient
/// with respect to the input is this forward pass, and its forward pass is this gradient.
///
/// - Parameters:
///   - x: [N, H, W, C].
///   - weight: [C, O / groups, kH, kW]; bias: [O] or nil.
///   - outputPadding: rows and columns added at the end of the output, less than the stride:
///     several sizes of y shrink to the same x.
/// - Returns: [N, H', W', O] with H' = (H - 1) stride - 2 padding + kH + outputPadding.
/// Cost: 2 N H W C kH kW O / groups FLOPs forward, twice that backward.
public func transposedConvolution2d(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: ImageWindow.Pair = .init(1),
    padding: ImageWindow.Pair = .init(0), outputPadding: ImageWindow.Pair = .init(0),
    groups: Int = 1
) -> Variable {
    require(
        x.shape.rank == 4 && weight.shape.rank == 4 && weight.shape[0] == x.shape[3],
        "convTranspose2d: weight \(weight.shape), x \(x.shape)")
    require(
        (0..<stride.height).contains(outputPadding.height)
            && (0..<stride.width).contains(outputPadding.width),
        "convTranspose2d: output padding \(outputPadding) with stride \(stride)")
    let outputs = weight.shape[1] * groups
    let kernel = ImageWindow.Pair(weight.shape[2], weight.shape[3])
    let images = x.shape[0]
    let y = Tensor(
        uninitialized: [
            images,
            (x.shape[1] - 1) * stride.height - 2 * padding.height + kernel.height
                + outputPadding.height,
            (x.shape[2] - 1) * stride.width - 2 * padding.width + kernel.width
                + outputPadding.width,
            outputs,
        ])
    let convolution = Convolution(
        window: imageWindow(y.shape, kernel: kernel, stride: stride, padding: padding),
        outputChannels: x.shape[3], groups: groups)
    require(
        bias.map { $0.shape == [outputs] } ?? true,
        "convTranspose2d: bias \(shapeText(bias)) for \(outputs) outputs")
    let scratch = Tensor(uninitialized: [convolution.inputGradientScratchCount(images: images)])
    convolution.inputGradient(
        x.value.pointer, weight: weight.value.pointer, dx: y.pointer, images: images,
        scratch: scratch.pointer)
    if let bias { rondo_add_row(y.pointer, bias.value.pointer, y.shape.rows, outputs) }
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    let outputRows = y.shape.rows
    return x.tape.record(y, from: [x], using: parameters) { upstream in
        if let bias {
            x.tape.addGradient(to: bias) { gradient, beta in
                rondo_column_sums(gradient, upstream.pointer, outputRows, outputs, beta != 0)
            }
        }
        let scratch = Tensor(uninitialized: [convolution.scratchCount(images: images)])
        x.tape.addGradient(to: weight) { gradient, beta in
            convolution.weightGradient(
                upstream.pointer, dy: x.value.pointer, into: gradient, beta: beta, images: images,
                scratch: scratch.pointer)
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        convolution.forward(
            upstream.pointer, weight: weight.value.pointer, y: dx.pointer, images: images,
            scratch: scratch.pointer)
        x.tape.addGradient(dx, to: x)
    }
}
