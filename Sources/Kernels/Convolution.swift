import CKernels
import Glibc

// Convolution in N x H x W x C: the choice of the algorithm, and the reference, matrix products
// (im2col) by OpenBLAS. Rondo's own kernels (CKernels/Convolution) compute what ConvolutionStrategy
// gives them.
//
// Legend: N images, H x W input, C input channels, O output channels, G groups, K = kernelHeight *
// kernelWidth * C / G taps of one output, P = output positions of one image.
//
//   forward   y[P, O]   = columns[P, K] * packed[O, K]^T
//   dWeight   dW[O, K] += dy[P, O]^T * columns[P, K]
//   dInput    stride 1: a forward convolution of dy with the flipped weight;
//             else:     columns[P, K] = dy[P, O] * packed[O, K], added back to the image.
//
// The columns of several small images share one product, up to `columnsLimit` floats, so that the
// block stays in the L2 cache until it is read; they are built again in the backward
// pass rather than stored (9 x the input for 3x3). Weights keep PyTorch's layout [O, C/G, kH, kW]
// and are packed to [O, kH, kW, C/G] per call, which costs one pass over a few thousand floats.

/// The shape of a 2-d convolution over a batch, and its algorithm.
public struct Convolution: Sendable {
    /// Where the windows lie on one image of C channels.
    public let window: ImageWindow
    /// O, and G (both C and O are multiples of G).
    public let outputChannels: Int, groups: Int
    /// How it is computed.
    package let strategy: ConvolutionStrategy

    /// Half of a 512 KiB L2 cache, in floats.
    private static let columnsLimit = 64 * 1024

    /// A convolution with the algorithm that is fastest for its shape.
    /// - Precondition: `groups` divides the channels on both sides.
    public init(
        window: ImageWindow, outputChannels: Int, groups: Int, tile: WinogradTile = .standard
    ) {
        self.init(
            window: window, outputChannels: outputChannels, groups: groups,
            strategy: .best(
                window: window, outputChannels: outputChannels, groups: groups, tile: tile))
    }

    /// A convolution with the given algorithm.
    /// - Precondition: the strategy serves this shape.
    package init(
        window: ImageWindow, outputChannels: Int, groups: Int, strategy: ConvolutionStrategy
    ) {
        require(
            groups > 0 && window.channels % groups == 0 && outputChannels % groups == 0,
            "\(groups) groups of \(window.channels) -> \(outputChannels) channels")
        require(
            strategy.serves(window: window, groups: groups), "\(strategy) for \(window)")
        self.window = window
        self.outputChannels = outputChannels
        self.groups = groups
        self.strategy = strategy
    }

    var groupInputs: Int { window.channels / groups }
    var groupOutputs: Int { outputChannels / groups }
    var tapCount: Int { window.kernel.height * window.kernel.width }
    var columnLength: Int { tapCount * groupInputs }
    /// Floats of the weight [O, C/G, kH, kW].
    public var weightCount: Int { outputChannels * columnLength }

    /// A 1x1 convolution with stride 1 reads each input once: the image itself is the columns.
    var isPointwise: Bool {
        tapCount == 1 && window.stride == .init(1) && window.padding == .init(0) && groups == 1
    }

    /// Images whose columns fit the limit, at least one.
    func imagesPerBlock(_ images: Int, columnLength: Int) -> Int {
        max(1, min(images, Self.columnsLimit / max(1, window.outputPositions * columnLength)))
    }

    /// Floats of scratch memory that `forward` and `weightGradient` need.
    public func scratchCount(images: Int) -> Int {
        fusedScratchCount(images: images) ?? referenceScratchCount(images: images)
    }

    private func referenceScratchCount(images: Int) -> Int {
        let columns =
            isPointwise
            ? 0
            : imagesPerBlock(images, columnLength: columnLength) * window.outputPositions
                * columnLength
        return columns + weightCount
    }

    /// Floats of scratch memory that `inputGradient` needs.
    public func inputGradientScratchCount(images: Int) -> Int {
        if let reverse = reversed { return reverse.scratchCount(images: images) }
        return fusedInputGradientScratchCount(images: images)
            ?? window.outputPositions * columnLength + weightCount
    }

    /// y[N, P, O] = convolution of x[N, H, W, C] with weight[O, C/G, kH, kW], plus bias[O].
    public func forward(
        _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>? = nil, y: UnsafeMutablePointer<Float>, images: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        if fusedForward(
            x, weight: weight, reversed: false, bias: bias, y: y, images: images,
            scratch: scratch)
        {
            return
        }
        pack(weight, into: scratch)
        forward(x, packed: scratch, y: y, images: images, columns: scratch + weightCount)
        if let bias {
            rondo_add_row(y, bias, images * window.outputPositions, outputChannels)
        }
    }

    private func forward(
        _ x: UnsafePointer<Float>, packed: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
        images: Int, columns: UnsafeMutablePointer<Float>
    ) {
        forEachBlock(x, images: images, columns: columns) { block, first, rows, group in
            matrixProduct(
                block, packed + group * groupOutputs * columnLength, transposeB: true,
                into: y + first * outputChannels + group * groupOutputs, m: rows,
                n: groupOutputs, k: columnLength, strideC: outputChannels)
        }
    }

    /// weightGradient[O, C/G, kH, kW] = beta * weightGradient + dy^T * columns(x); beta is 0 or 1.
    public func weightGradient(
        _ x: UnsafePointer<Float>, dy: UnsafePointer<Float>,
        into weightGradient: UnsafeMutablePointer<Float>, beta: Float, images: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        if fusedWeightGradient(
            x, dy: dy, into: weightGradient, beta: beta, images: images, scratch: scratch)
        {
            return
        }
        let packed = scratch
        memset(packed, 0, weightCount * MemoryLayout<Float>.stride)
        forEachBlock(x, images: images, columns: scratch + weightCount) {
            block, first, rows, group in
            matrixProduct(
                dy + first * outputChannels + group * groupOutputs, transposeA: true, block,
                into: packed + group * groupOutputs * columnLength, m: groupOutputs,
                n: columnLength, k: rows, beta: 1, strideA: outputChannels)
        }
        unpack(packed, into: weightGradient, adding: beta != 0)
    }

    /// dx[N, H, W, C] = the adjoint of `forward` applied to dy[N, P, O].
    public func inputGradient(
        _ dy: UnsafePointer<Float>, weight: UnsafePointer<Float>,
        dx: UnsafeMutablePointer<Float>, images: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        if let reverse = reversed {
            if reverse.fusedForward(
                dy, weight: weight, reversed: true, bias: nil, y: dx, images: images,
                scratch: scratch)
            {
                return
            }
            packReversed(weight, into: scratch)
            reverse.forward(
                dy, packed: scratch, y: dx, images: images, columns: scratch + weightCount)
            return
        }
        if fusedInputGradient(dy, weight: weight, dx: dx, images: images, scratch: scratch) {
            return
        }
        let packed = scratch
        let columns = scratch + weightCount
        pack(weight, into: packed)
        memset(dx, 0, images * window.inputCount * MemoryLayout<Float>.stride)
        for image in 0..<images {
            for group in 0..<groups {
                matrixProduct(
                    dy + image * window.outputPositions * outputChannels + group * groupOutputs,
                    packed + group * groupOutputs * columnLength, into: columns,
                    m: window.outputPositions, n: columnLength, k: groupOutputs,
                    strideA: outputChannels)
                var native = window.native(
                    groupOffset: group * groupInputs, groupChannels: groupInputs)
                rondo_columns_to_image(dx + image * window.inputCount, columns, &native)
            }
        }
    }

    /// Calls `body(columns, first row, row count, group)` for each block of images and each group.
    private func forEachBlock(
        _ x: UnsafePointer<Float>, images: Int, columns: UnsafeMutablePointer<Float>,
        _ body: (UnsafePointer<Float>, Int, Int, Int) -> Void
    ) {
        let positions = window.outputPositions
        if isPointwise {
            body(x, 0, images * positions, 0)
            return
        }
        let blockSize = imagesPerBlock(images, columnLength: columnLength)
        for first in stride(from: 0, to: images, by: blockSize) {
            let count = min(blockSize, images - first)
            for group in 0..<groups {
                var native = window.native(
                    groupOffset: group * groupInputs, groupChannels: groupInputs)
                for image in 0..<count {
                    rondo_image_to_columns(
                        columns + image * positions * columnLength,
                        x + (first + image) * window.inputCount, &native, 0,
                        Int64(window.outputHeight))
                }
                body(columns, first * positions, count * positions, group)
            }
        }
    }

    /// The convolution of dy that gives dx: stride 1, padding k - 1 - p. nil where it does not
    /// exist.
    private var reversed: Convolution? {
        guard window.stride == .init(1), window.padding.height < window.kernel.height,
            window.padding.width < window.kernel.width,
            let reverse = ImageWindow(
                height: window.outputHeight, width: window.outputWidth, channels: outputChannels,
                kernel: window.kernel, stride: .init(1),
                padding: .init(
                    window.kernel.height - 1 - window.padding.height,
                    window.kernel.width - 1 - window.padding.width))
        else { return nil }
        return Convolution(
            window: reverse, outputChannels: window.channels, groups: groups,
            strategy: strategy)
    }

    // MARK: Weight layouts

    /// [O, C/G, taps] -> [O, taps, C/G]
    private func pack(_ weight: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        for output in 0..<outputChannels {
            let offset = output * columnLength
            rondo_transpose(packed + offset, weight + offset, groupInputs, tapCount)
        }
    }

    /// [O, taps, C/G] -> [O, C/G, taps], overwriting or adding.
    private func unpack(
        _ packed: UnsafeMutablePointer<Float>, into weight: UnsafeMutablePointer<Float>,
        adding: Bool
    ) {
        if !adding {
            for output in 0..<outputChannels {
                let offset = output * columnLength
                rondo_transpose(weight + offset, packed + offset, tapCount, groupInputs)
            }
            return
        }
        for output in 0..<outputChannels {
            let source = packed + output * columnLength
            let destination = weight + output * columnLength
            for tap in 0..<tapCount {
                for channel in 0..<groupInputs {
                    destination[channel * tapCount + tap] += source[tap * groupInputs + channel]
                }
            }
        }
    }

    /// [O, C/G, taps] -> [C, reversed taps, O/G], the weight of `reversed`.
    private func packReversed(
        _ weight: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>
    ) {
        let rowLength = tapCount * groupOutputs
        for group in 0..<groups {
            for output in 0..<groupOutputs {
                let source = weight + (group * groupOutputs + output) * columnLength
                for input in 0..<groupInputs {
                    let destination = packed + (group * groupInputs + input) * rowLength + output
                    for tap in 0..<tapCount {
                        destination[(tapCount - 1 - tap) * groupOutputs] =
                            source[input * tapCount + tap]
                    }
                }
            }
        }
    }
}
