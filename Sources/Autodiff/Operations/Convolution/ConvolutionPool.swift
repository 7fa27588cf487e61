import CKernels
import Kernels
import Tensors

/// How many floats of the convolution's result exist at once, about: 512 KiB, which stay in the
/// nearer caches until they are read. (256 KiB and 1 MiB take 2 to 5 % longer, 3 MiB as long as
/// without groups.)
private let groupElementCount = 128 << 10

/// `maxPool2d(convolution2d(x))`, for a group of images at a time.
///
/// The convolution's result is the largest tensor of such a network, and it is needed only where a
/// window has its maximum, which the pool notes. It is never whole in memory: a group's part is
/// pooled at once, and backward spreads its gradient out again. (The CNN's step with 1 worker: 11.9
/// -> 10.8 ms; with 2 workers, whose caches and memory are shared, 13.3 -> 11.2 ms; 17 MB less.)
/// The result has the bits of the two operations; the gradients of weight and bias are summed group
/// by group.
package func convolution2dMaxPool(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: ImageWindow.Pair,
    padding: ImageWindow.Pair, groups: Int, tile: WinogradTile, pool: PoolWindow
) -> Variable {
    let convolution = imageConvolution(
        x.shape, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups,
        tile: tile)
    let images = x.shape[0]
    let outputs = convolution.outputChannels
    let (height, width) = (convolution.window.outputHeight, convolution.window.outputWidth)
    let pooling = MaxPool(pool, on: [1, height, width, outputs], images: images)
    let groupSize = max(1, min(images, groupElementCount / pooling.inputCount))
    let imageGroups = Swift.stride(from: 0, to: images, by: groupSize).map {
        $0..<min(images, $0 + groupSize)
    }
    /// The convolution's result for one group.
    let shape: Shape = [groupSize, height, width, outputs]

    let y = Tensor(uninitialized: pooling.outputShape)
    let between = Tensor(uninitialized: shape)
    let scratch = Tensor(uninitialized: [convolution.scratchCount(images: groupSize)])
    for group in imageGroups {
        convolution.forward(
            x.value.pointer + group.lowerBound * convolution.window.inputCount,
            weight: weight.value.pointer, bias: bias?.value.pointer, y: between.pointer,
            images: group.count, scratch: scratch.pointer)
        pooling.forward(between.pointer, y: y.pointer, images: group)
    }
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    return x.tape.record(y, from: [x], using: parameters) { upstream in
        let dy = Tensor(uninitialized: shape)
        let dx = x.isDifferentiated ? Tensor(uninitialized: x.shape) : nil
        let scratch = Tensor(uninitialized: [
            max(
                convolution.scratchCount(images: groupSize),
                dx == nil ? 0 : convolution.inputGradientScratchCount(images: groupSize))
        ])
        for group in imageGroups {
            pooling.gradient(upstream.pointer, dx: dy.pointer, images: group)
            if let bias {
                x.tape.addGradient(to: bias) { gradient, beta in
                    rondo_column_sums(
                        gradient, dy.pointer, group.count * height * width, outputs, beta != 0)
                }
            }
            let first = group.lowerBound * convolution.window.inputCount
            x.tape.addGradient(to: weight) { gradient, beta in
                convolution.weightGradient(
                    x.value.pointer + first, dy: dy.pointer, into: gradient, beta: beta,
                    images: group.count, scratch: scratch.pointer)
            }
            if let dx {
                convolution.inputGradient(
                    dy.pointer, weight: weight.value.pointer, dx: dx.pointer + first,
                    images: group.count, scratch: scratch.pointer)
            }
        }
        if let dx { x.tape.addGradient(dx, to: x) }
    }
}
