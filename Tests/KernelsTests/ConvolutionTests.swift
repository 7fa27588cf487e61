import Kernels
import Testing

// Convolutions and products against the naive loops, on small integers so that sums are exact.

func integers(_ count: Int, _ factor: Int) -> [Float] {
    (0..<count).map { Float(($0 * factor) % 7 - 3) }
}

@Suite struct ConvolutionTests {
    static let cases = [
        ConvolutionCase(), .init(stride: .init(2)), .init(kernel: .init(1), padding: .init(0)),
        .init(kernel: .init(1), stride: .init(2), padding: .init(0)), .init(groups: 2),
        .init(inputs: 4, groups: 4), .init(padding: .init(2)), .init(padding: .init(3)),
        .init(kernel: .init(2, 3), stride: .init(1, 2), padding: .init(0, 1)),
        .init(images: 1, height: 3, width: 3, inputs: 1, outputs: 1, padding: .init(0)),
        .init(images: 40, height: 14, width: 14, inputs: 8, outputs: 3),
        // The layers of the example models, and tails in every dimension.
        .init(images: 3, height: 28, width: 28, inputs: 1, outputs: 32),
        .init(images: 3, height: 14, width: 14, inputs: 32, outputs: 64),
        .init(images: 2, height: 32, width: 32, inputs: 3, outputs: 16),
        .init(images: 2, height: 32, width: 32, inputs: 16, outputs: 16),
        .init(images: 1, height: 32, width: 32, inputs: 16, outputs: 32, stride: .init(2)),
        .init(images: 9, height: 8, width: 8, inputs: 64, outputs: 64),
        .init(images: 2, height: 16, width: 16, inputs: 32, outputs: 64, stride: .init(2)),
        .init(
            images: 2, height: 16, width: 16, inputs: 32, outputs: 64, kernel: .init(1),
            stride: .init(2), padding: .init(0)),
        .init(images: 1, height: 7, width: 7, inputs: 16, outputs: 48),
        .init(images: 3, height: 7, width: 9, inputs: 17, outputs: 23),
        .init(images: 2, height: 5, width: 6, inputs: 40, outputs: 24, padding: .init(0)),
        .init(images: 2, height: 4, width: 3, inputs: 16, outputs: 16, padding: .init(2, 1)),
        .init(images: 2, height: 6, width: 5, inputs: 16, outputs: 20, padding: .init(3, 0)),
        .init(images: 1, height: 1, width: 1, inputs: 24, outputs: 16),
        .init(images: 2, height: 11, width: 13, inputs: 5, outputs: 33, kernel: .init(5, 4)),
        .init(
            images: 2, height: 19, width: 18, inputs: 3, outputs: 40, kernel: .init(7),
            stride: .init(2), padding: .init(3)),
        .init(images: 2, height: 9, width: 8, inputs: 18, outputs: 8, stride: .init(2, 3)),
    ]

    /// Sums and Winograd's halves and quarters of small integers are exact in every order.
    @Test(arguments: cases) func everyStrategyAgainstNaiveLoops(_ c: ConvolutionCase) throws {
        let window = try #require(c.window)
        let x = integers(c.images * window.inputCount, 5)
        let weight = integers(c.outputs * c.tapsPerOutput, 3)
        let dy = integers(c.outputCount(window), 11)
        let bias = integers(c.outputs, 2)
        let expected = c.naive(window, x: x, weight: weight, dy: dy)
        for strategy in c.exactStrategies(window) {
            let found = try c.run(
                strategy, x: x, weight: weight, bias: bias, dy: dy, addingTo: 1)
            var shifted = expected.y.map { Float($0) }
            for index in shifted.indices { shifted[index] += bias[index % c.outputs] }
            #expect(found.y == shifted, "\(strategy)")
            #expect(found.dx == expected.dx.map { Float($0) }, "\(strategy)")
            #expect(found.dWeight == expected.dWeight.map { Float($0 + 1) }, "\(strategy)")
            let plain = try c.run(strategy, x: x, weight: weight, bias: nil, dy: dy, addingTo: nil)
            #expect(plain.y == expected.y.map { Float($0) }, "\(strategy)")
            #expect(plain.dWeight == expected.dWeight.map { Float($0) }, "\(strategy)")
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
