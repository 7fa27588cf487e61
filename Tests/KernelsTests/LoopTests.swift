import CKernels
import Glibc
import Testing

// The C loops against plain Swift, at sizes around the width of the vectors and of the blocks.

@Suite struct LoopTests {
    static let sizes = [0, 1, 3, 15, 16, 17, 63, 64, 65, 1000]

    private func values(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / 1e9
        }
    }

    @Test(arguments: sizes) func elementwise(count: Int) {
        let a = values(count, seed: 1)
        let b = values(count, seed: 2)
        var sum = a
        rondo_add(&sum, b, count)
        #expect(sum == zip(a, b).map { $0 + $1 })
        rondo_sum(&sum, a, b, count)
        #expect(sum == zip(a, b).map { $0 + $1 })
        var y = a
        rondo_relu(&y, a, count)
        #expect(y == a.map { max($0, 0) })
        var dx = a
        rondo_relu_gradient(&dx, b, y, count)
        #expect(dx == zip(y, b).map { $0 > 0 ? $1 : 0 })
        rondo_multiply_add(&sum, b, 0.5, count)
        // A fused multiply-add would round once instead of twice and differ here.
        #expect(sum == zip(a, b).map { ($0 + $1) + $1 * 0.5 })
    }

    @Test func exponentialOverItsWholeRange() {
        var largestError = 0.0
        let x = stride(from: Float(-87), through: 88, by: 0.001).map { $0 }
        var y = x
        rondo_exp(&y, x, x.count)
        for (input, output) in zip(x, y) {
            let exact = Glibc.exp(Double(input))
            largestError = max(largestError, abs(Double(output) - exact) / exact)
        }
        // One unit in the last place of a Float32 is 1.2e-7.
        #expect(largestError < 1.5e-7)
        #expect(x.count > 170_000)
        var edge: [Float] = [-1000, 1000, .nan]
        rondo_exp(&edge, edge, 3)
        #expect(edge[0] >= 0 && edge[0] < 2e-38)
        #expect(edge[1].isFinite && edge[1] > 2e38)
        #expect(edge[2].isNaN)
    }

    @Test func hyperbolicTangentAndSigmoid() {
        let x = stride(from: Float(-12), through: 12, by: 0.001).map { $0 }
        var y = x
        rondo_tanh(&y, x, x.count)
        var largestError = 0.0
        var largestRelativeErrorNearZero = 0.0
        for (input, output) in zip(x, y) {
            let exact: Double = Glibc.tanh(Double(input))
            let error = abs(Double(output) - exact)
            largestError = max(largestError, error)
            if abs(input) < 0.5 && input != 0 {
                largestRelativeErrorNearZero = max(largestRelativeErrorNearZero, error / abs(exact))
            }
        }
        #expect(largestError < 2e-7)
        #expect(largestRelativeErrorNearZero < 3e-7)
        rondo_sigmoid(&y, x, x.count)
        #expect(
            zip(x, y).allSatisfy { input, output in
                let exact: Double = 1 / (1 + Glibc.exp(-Double(input)))
                return abs(Double(output) - exact) < 2e-7
            })
    }

    @Test(arguments: [(1, 1), (3, 5), (64, 64), (65, 70), (200, 3)])
    func rowsAndColumns(rows: Int, columns: Int) {
        // Integers: every order of additions gives the same sum.
        let matrix = (0..<rows * columns).map { Float(($0 * 7) % 13 - 6) }
        var sums = [Float](repeating: 100, count: columns)
        rondo_column_sums(&sums, matrix, rows, columns, false)
        let expected = (0..<columns).map { column in
            (0..<rows).reduce(Float(0)) { $0 + matrix[$1 * columns + column] }
        }
        #expect(sums == expected)
        rondo_column_sums(&sums, matrix, rows, columns, true)
        #expect(sums == expected.map { 2 * $0 })
        var biased = matrix
        rondo_add_row(&biased, expected, rows, columns)
        #expect(biased.indices.allSatisfy { biased[$0] == matrix[$0] + expected[$0 % columns] })
        var transposed = matrix
        rondo_transpose(&transposed, matrix, rows, columns)
        #expect(
            matrix.indices.allSatisfy {
                transposed[($0 % columns) * rows + $0 / columns] == matrix[$0]
            })
    }

    @Test func softmaxLossOfKnownLogits() {
        let logits: [Float] = [0, 0, 0, 0, 1000, 0, -1000, 0]
        var probabilities = logits
        var losses: [Float] = [0, 0]
        let correct = rondo_softmax_cross_entropy(&probabilities, &losses, logits, [0, 0], 2, 4)
        #expect(correct == 2)
        #expect(abs(losses[0] - Glibc.log(Float(4))) < 1e-6)
        #expect(losses[1] == 0)
        #expect(probabilities[..<4].allSatisfy { $0 == 0.25 })
    }

    /// torch.optim.SGD and Adam by hand, two steps of one weight.
    @Test func optimizersByHand() {
        var weight: [Float] = [1]
        var momentum: [Float] = [0]
        for _ in 0..<2 { rondo_sgd(&weight, [4], &momentum, 1, 0.1, 0.9, 0, 0.5, false) }
        // v = 2, w = 0.8; v = 3.8, w = 0.42
        #expect(abs(weight[0] - 0.42) < 1e-6)
        weight = [1]
        momentum = [0]
        for _ in 0..<2 { rondo_sgd(&weight, [4], &momentum, 1, 0.1, 0.9, 0, 0.5, true) }
        // v = 2, w = 1 - 0.1 (2 + 1.8) = 0.62; v = 3.8, w = 0.62 - 0.1 (2 + 3.42) = 0.078
        #expect(abs(weight[0] - 0.078) < 1e-6)
        weight = [1]
        var first: [Float] = [0]
        var second: [Float] = [0]
        for step in 1...2 {
            var settings = rondo_adam_settings(
                learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0,
                gradientScale: 1, biasCorrection1: Float(1 - pow(0.9, Double(step))),
                biasCorrection2: Float(1 - pow(0.999, Double(step))), decoupledDecay: false)
            rondo_adam(&weight, [3], &first, &second, 1, &settings)
        }
        // A constant gradient moves the weight by the rate each time.
        #expect(abs(weight[0] - 0.8) < 1e-5)
    }
}
