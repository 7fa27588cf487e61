import Kernels
import Testing

// Convolutions and products against the naive loops, on small integers so that sums are exact.

@Suite struct ConvolutionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var images = 2, height = 6, width = 5, inputs = 2, outputs = 4
        var kernel = ImageWindow.Pair(3), stride = ImageWindow.Pair(1)
        var padding = ImageWindow.Pair(1), groups = 1
        var testDescription: String {
            "\(images)x\(height)x\(width)x\(inputs)->\(outputs) k\(kernel.height)x\(kernel.width)"
                + " s\(stride.height)x\(stride.width) p\(padding.height)x\(padding.width) g\(groups)"
        }
    }

    static let cases = [
        Case(), Case(stride: .init(2)), Case(kernel: .init(1), padding: .init(0)),
        Case(kernel: .init(1), stride: .init(2), padding: .init(0)), Case(groups: 2),
        Case(inputs: 4, groups: 4), Case(padding: .init(2)), Case(padding: .init(3)),
        Case(kernel: .init(2, 3), stride: .init(1, 2), padding: .init(0, 1)),
        Case(images: 1, height: 3, width: 3, inputs: 1, outputs: 1, padding: .init(0)),
        Case(images: 40, height: 14, width: 14, inputs: 8, outputs: 3),
    ]

    private func integers(_ count: Int, _ factor: Int) -> [Float] {
        (0..<count).map { Float(($0 * factor) % 7 - 3) }
    }

    @Test(arguments: cases) func againstNaiveLoops(_ c: Case) throws {
        let window = try #require(
            ImageWindow(
                height: c.height, width: c.width, channels: c.inputs, kernel: c.kernel,
                stride: c.stride, padding: c.padding))
        let convolution = Convolution(
            window: window, outputChannels: c.outputs, groups: c.groups)
        let x = integers(c.images * window.inputCount, 5)
        let weight = integers(convolution.weightCount, 3)
        let outputCount = c.images * window.outputHeight * window.outputWidth * c.outputs
        let dy = integers(outputCount, 11)
        var y = [Float](repeating: 9, count: outputCount)
        var dx = [Float](repeating: 9, count: x.count)
        var dWeight = [Float](repeating: 1, count: weight.count)
        var scratch = [Float](repeating: .nan, count: convolution.scratchCount(images: c.images))
        convolution.forward(x, weight: weight, y: &y, images: c.images, scratch: &scratch)
        convolution.weightGradient(
            x, dy: dy, into: &dWeight, beta: 1, images: c.images, scratch: &scratch)
        var reverseScratch = [Float](
            repeating: .nan, count: convolution.inputGradientScratchCount(images: c.images))
        convolution.inputGradient(
            dy, weight: weight, dx: &dx, images: c.images, scratch: &reverseScratch)

        var expectedY = [Float](repeating: 0, count: outputCount)
        var expectedDX = [Float](repeating: 0, count: x.count)
        var expectedDWeight = [Float](repeating: 1, count: weight.count)
        forEachTap(c, window) { input, output, tap in
            expectedY[output] += x[input] * weight[tap]
            expectedDX[input] += dy[output] * weight[tap]
            expectedDWeight[tap] += dy[output] * x[input]
        }
        #expect(y == expectedY)
        #expect(dx == expectedDX)
        #expect(dWeight == expectedDWeight)
        convolution.weightGradient(
            x, dy: dy, into: &dWeight, beta: 0, images: c.images, scratch: &scratch)
        #expect(dWeight == expectedDWeight.map { $0 - 1 })
    }

    /// Calls `body(input, output, weight)` with the flat indices of every product.
    private func forEachTap(_ c: Case, _ window: ImageWindow, _ body: (Int, Int, Int) -> Void) {
        let groupInputs = c.inputs / c.groups
        let groupOutputs = c.outputs / c.groups
        for image in 0..<c.images {
            for oh in 0..<window.outputHeight {
                for ow in 0..<window.outputWidth {
                    for o in 0..<c.outputs {
                        let position = (image * window.outputHeight + oh) * window.outputWidth + ow
                        for i in 0..<groupInputs {
                            for kh in 0..<c.kernel.height {
                                for kw in 0..<c.kernel.width {
                                    let h = oh * c.stride.height - c.padding.height + kh
                                    let w = ow * c.stride.width - c.padding.width + kw
                                    guard (0..<c.height) ~= h, (0..<c.width) ~= w else { continue }
                                    let channel = o / groupOutputs * groupInputs + i
                                    let input =
                                        ((image * c.height + h) * c.width + w) * c.inputs + channel
                                    let tap =
                                        ((o * groupInputs + i) * c.kernel.height + kh)
                                        * c.kernel.width + kw
                                    body(input, position * c.outputs + o, tap)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: [(1, 1, 1), (3, 5, 7), (16, 33, 64), (0, 3, 2), (3, 2, 0)])
    func products(m: Int, n: Int, k: Int) {
        let a = integers(m * k, 5)
        let b = integers(k * n, 3)
        var expected = [Float](repeating: 0, count: m * n)
        for row in 0..<m {
            for column in 0..<n {
                for inner in 0..<k {
                    expected[row * n + column] += a[row * k + inner] * b[inner * n + column]
                }
            }
        }
        func transposed(_ matrix: [Float], _ rows: Int, _ columns: Int) -> [Float] {
            (0..<rows * columns).map { matrix[($0 % max(rows, 1)) * columns + $0 / max(rows, 1)] }
        }
        for (transposeA, transposeB) in [(false, false), (true, false), (false, true)] {
            var c = [Float](repeating: .nan, count: m * n)
            matrixProduct(
                transposeA ? transposed(a, m, k) : a, transposeA: transposeA,
                transposeB ? transposed(b, k, n) : b, transposeB: transposeB, into: &c, m: m, n: n,
                k: k)
            #expect(c == expected)
            matrixProduct(
                transposeA ? transposed(a, m, k) : a, transposeA: transposeA,
                transposeB ? transposed(b, k, n) : b, transposeB: transposeB, into: &c, m: m, n: n,
                k: k, beta: 1)
            #expect(c == expected.map { 2 * $0 })
        }
    }

    @Test func windowsThatDoNotFit() {
        #expect(
            ImageWindow(
                height: 2, width: 9, channels: 1, kernel: .init(3), stride: .init(1),
                padding: .init(0)) == nil)
        #expect(
            ImageWindow(
                height: 3, width: 3, channels: 1, kernel: .init(3), stride: .init(0),
                padding: .init(0)) == nil)
    }
}
