import CKernels
import Kernels
import Tensors

/// The windows of a max pool, and whether a ReLU comes before it.
package struct PoolWindow {
    package let kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair
    package let relu: Bool

    package init(
        kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair, relu: Bool
    ) {
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.relu = relu
    }
}

/// A max pool over a batch. It keeps for the gradient which input was the largest of each window.
struct MaxPool {
    /// Floats of one input image and of one output image.
    let inputCount: Int, outputCount: Int
    /// [N, H', W', C]
    let outputShape: Shape
    private let window: ImageWindow
    private let relu: Bool
    /// The place of the largest input in its window: one byte per output.
    private let taps: Tensor

    /// - Parameter shape: [_, H, W, C] of the input.
    /// - Precondition: at most 256 taps, with a ReLU 255; padding at most half of the kernel.
    init(_ pool: PoolWindow, on shape: Shape, images: Int) {
        let (kernel, padding) = (pool.kernel, pool.padding)
        require(
            kernel.height * kernel.width <= (pool.relu ? 255 : 256),
            "maxPool2d: \(kernel) has over \(pool.relu ? 255 : 256) taps")
        require(
            2 * padding.height <= kernel.height && 2 * padding.width <= kernel.width,
            "maxPool2d: padding \(padding) is more than half of the kernel \(kernel)")
        window = imageWindow(shape, kernel: kernel, stride: pool.stride, padding: padding)
        relu = pool.relu
        inputCount = window.inputCount
        outputCount = window.outputHeight * window.outputWidth * window.channels
        outputShape = [images, window.outputHeight, window.outputWidth, window.channels]
        taps = Tensor(uninitialized: [(images * outputCount + 3) / 4])
    }

    private func taps(ofImage image: Int) -> UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(taps.pointer).assumingMemoryBound(to: UInt8.self)
            + image * outputCount
    }

    /// - Parameters:
    ///   - x: the first of these images.
    ///   - y: all images' outputs.
    func forward(
        _ x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>, images: Range<Int>
    ) {
        var native = window.native()
        for image in images {
            rondo_max_pool(
                y + image * outputCount, taps(ofImage: image),
                x + (image - images.lowerBound) * inputCount, &native, relu)
        }
    }

    /// - Parameters:
    ///   - dy: all images' gradients.
    ///   - dx: the first of these images; is overwritten.
    func gradient(
        _ dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>, images: Range<Int>
    ) {
        var native = window.native()
        for image in images {
            rondo_max_pool_gradient(
                dx + (image - images.lowerBound) * inputCount, dy + image * outputCount,
                taps(ofImage: image), &native)
        }
    }
}
