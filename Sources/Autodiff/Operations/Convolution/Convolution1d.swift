import CKernels
import Kernels
import Tensors

/// 1-d cross-correlation, as PyTorch's `conv1d`: a 2-d convolution of images with one row.
///
/// - Parameters:
///   - x: [N, L, C], channels last.
///   - weight: [O, C / groups, k]; bias: [O] or nil.
/// - Returns: [N, L', O] with L' = (L + 2 padding - k) / stride + 1.
/// Cost: 2 N L' O k C / groups FLOPs forward, twice that backward (once without dx).
public func convolution1d(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: Int = 1, padding: Int = 0,
    groups: Int = 1
) -> Variable {
    require(
        x.shape.rank == 3 && weight.shape.rank == 3 && weight.shape[1] * groups == x.shape[2]
            && (bias.map { $0.shape == [weight.shape[0]] } ?? true),
        "conv1d: weight \(weight.shape) in \(groups) groups, bias \(shapeText(bias)), x \(x.shape)")
    let outputs = weight.shape[0]
    let images = x.shape[0]
    let row: Shape = [images, 1, x.shape[1], x.shape[2]]
    let convolution = Convolution(
        window: imageWindow(
            row, kernel: .init(1, weight.shape[2]), stride: .init(1, stride),
            padding: .init(0, padding)),
        outputChannels: outputs, groups: groups)
    let positions = convolution.window.outputWidth
    let y = Tensor(uninitialized: [images, positions, outputs])
    let scratch = Tensor(uninitialized: [convolution.scratchCount(images: images)])
    convolution.forward(
        x.value.pointer, weight: weight.value.pointer, y: y.pointer, images: images,
        scratch: scratch.pointer)
    if let bias { rondo_add_row(y.pointer, bias.value.pointer, images * positions, outputs) }
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    return x.tape.record(y, from: [x], using: parameters) { upstream in
        if let bias {
            x.tape.addGradient(to: bias) { gradient, beta in
                rondo_column_sums(
                    gradient, upstream.pointer, images * positions, outputs, beta != 0)
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
