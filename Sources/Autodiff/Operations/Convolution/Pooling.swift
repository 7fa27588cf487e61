import CKernels
import Kernels
import Tensors

/// The largest input of each window; padding never counts as largest.
///
/// - Parameters:
///   - x: [N, H, W, C].
///   - stride: the kernel's size where nil.
///   - relu: whether to return the ReLU of that, which is also the largest ReLU of the inputs.
/// - Precondition: at most 256 taps, with `relu` 255; padding at most half of the kernel.
public func maxPool2d(
    _ x: Variable, kernel: ImageWindow.Pair, stride: ImageWindow.Pair? = nil,
    padding: ImageWindow.Pair = 0, relu: Bool = false
) -> Variable {
    let window = PoolWindow(
        kernel: kernel, stride: stride ?? kernel, padding: padding, relu: relu)
    let pool = MaxPool(window, on: x.shape, images: x.shape[0])
    let y = Tensor(uninitialized: pool.outputShape)
    pool.forward(x.value.pointer, y: y.pointer, images: 0..<x.shape[0])
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        pool.gradient(upstream.pointer, dx: dx.pointer, images: 0..<x.shape[0])
        x.tape.addGradient(dx, to: x)
    }
}

/// The mean of each window, padding counted as zeros. x: [N, H, W, C]; the stride is the kernel's
/// size where nil.
public func averagePool2d(
    _ x: Variable, kernel: ImageWindow.Pair, stride: ImageWindow.Pair? = nil,
    padding: ImageWindow.Pair = 0
) -> Variable {
    let window = imageWindow(
        x.shape, kernel: kernel, stride: stride ?? kernel, padding: padding)
    let images = x.shape[0]
    let outputCount = window.outputHeight * window.outputWidth * window.channels
    let y = Tensor(
        uninitialized: [images, window.outputHeight, window.outputWidth, window.channels])
    var native = window.native()
    for image in 0..<images {
        rondo_average_pool(
            y.pointer + image * outputCount, x.value.pointer + image * window.inputCount, &native)
    }
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(zeros: x.shape)
        var native = window.native()
        for image in 0..<images {
            rondo_average_pool_gradient(
                dx.pointer + image * window.inputCount, upstream.pointer + image * outputCount,
                &native)
        }
        x.tape.addGradient(dx, to: x)
    }
}

/// The mean over all positions: [N, H, W, C] -> [N, 1, 1, C].
public func globalAveragePool(_ x: Variable) -> Variable {
    let whole = ImageWindow.Pair(x.shape[1], x.shape[2])
    return averagePool2d(x, kernel: whole, stride: .init(1))
}
