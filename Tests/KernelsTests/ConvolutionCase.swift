import Kernels
import Testing

/// A convolution's shape with what the tests of all strategies need: naive loops in Double, and one
/// run.
struct ConvolutionCase: Sendable, CustomTestStringConvertible {
    var images = 2, height = 6, width = 5, inputs = 2, outputs = 4
    var kernel = ImageWindow.Pair(3), stride = ImageWindow.Pair(1)
    var padding = ImageWindow.Pair(1), groups = 1

    var testDescription: String {
        "\(images)x\(height)x\(width)x\(inputs)->\(outputs) k\(kernel.height)x\(kernel.width)"
            + " s\(stride.height)x\(stride.width) p\(padding.height)x\(padding.width) g\(groups)"
    }

    var window: ImageWindow? {
        ImageWindow(
            height: height, width: width, channels: inputs, kernel: kernel, stride: stride,
            padding: padding)
    }

    var tapsPerOutput: Int { inputs / groups * kernel.height * kernel.width }

    func outputCount(_ window: ImageWindow) -> Int {
        images * window.outputHeight * window.outputWidth * outputs
    }

    struct Results<Value> {
        var y: [Value], dx: [Value], dWeight: [Value]
    }

    /// Every way to compute this shape on this processor.
    func strategies(_ window: ImageWindow) -> [ConvolutionStrategy] {
        var all = [ConvolutionStrategy.reference]
        for width in [8, 16] {
            all.append(.columns(width: width))
            all += WinogradTile.allCases.map { .winograd(tile: $0, width: width) }
        }
        return all.filter { $0.serves(window: window, groups: groups) }
    }

    /// Those that are exact on small integers: tiles of 4 divide by 3.
    func exactStrategies(_ window: ImageWindow) -> [ConvolutionStrategy] {
        strategies(window).filter {
            if case .winograd(let tile, _) = $0 { tile == .twoByTwo } else { true }
        }
    }

    /// Forward and both gradients; `addingTo`: what the weight's gradient holds before, nil to
    /// overwrite. Scratch memory holds NaN, so that a read of something unwritten shows.
    func run(
        _ strategy: ConvolutionStrategy, x: [Float], weight: [Float], bias: [Float]?, dy: [Float],
        addingTo: Float?
    ) throws -> Results<Float> {
        let window = try #require(window)
        let convolution = Convolution(
            window: window, outputChannels: outputs, groups: groups, strategy: strategy)
        var results = Results<Float>(
            y: [Float](repeating: 9, count: dy.count), dx: [Float](repeating: 9, count: x.count),
            dWeight: [Float](repeating: addingTo ?? .nan, count: weight.count))
        func scratch(_ count: Int) -> [Float] { [Float](repeating: .nan, count: count) }
        var memory = scratch(convolution.scratchCount(images: images))
        convolution.forward(
            x, weight: weight, bias: bias, y: &results.y, images: images, scratch: &memory)
        memory = scratch(convolution.scratchCount(images: images))
        convolution.weightGradient(
            x, dy: dy, into: &results.dWeight, beta: addingTo == nil ? 0 : 1, images: images,
            scratch: &memory)
        memory = scratch(convolution.inputGradientScratchCount(images: images))
        convolution.inputGradient(
            dy, weight: weight, dx: &results.dx, images: images, scratch: &memory)
        return results
    }

    func naive(_ window: ImageWindow, x: [Float], weight: [Float], dy: [Float]) -> Results<Double> {
        var results = Results<Double>(
            y: [Double](repeating: 0, count: dy.count), dx: [Double](repeating: 0, count: x.count),
            dWeight: [Double](repeating: 0, count: weight.count))
        forEachTap(window) { input, output, tap in
            results.y[output] += Double(x[input]) * Double(weight[tap])
            results.dx[input] += Double(dy[output]) * Double(weight[tap])
            results.dWeight[tap] += Double(dy[output]) * Double(x[input])
        }
        return results
    }

    /// Calls `body(input, output, weight)` with the flat indices of every product.
    private func forEachTap(_ window: ImageWindow, _ body: (Int, Int, Int) -> Void) {
        let groupInputs = inputs / groups
        let groupOutputs = outputs / groups
        for image in 0..<images {
            for oh in 0..<window.outputHeight {
                for ow in 0..<window.outputWidth {
                    for kh in 0..<kernel.height {
                        for kw in 0..<kernel.width {
                            let h = oh * stride.height - padding.height + kh
                            let w = ow * stride.width - padding.width + kw
                            guard (0..<height) ~= h, (0..<width) ~= w else { continue }
                            let position =
                                (image * window.outputHeight + oh) * window.outputWidth + ow
                            let corner = ((image * height + h) * width + w) * inputs
                            for o in 0..<outputs {
                                for i in 0..<groupInputs {
                                    let tap =
                                        ((o * groupInputs + i) * kernel.height + kh)
                                        * kernel.width + kw
                                    body(
                                        corner + o / groupOutputs * groupInputs + i,
                                        position * outputs + o, tap)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
