import Foundation
import Kernels
import Testing

// Rounding errors of every strategy on normal numbers against sums in Double, and equal bits for
// every vector width.

@Suite struct ConvolutionAccuracyTests {
    static let cases = [
        ConvolutionCase(images: 8, height: 14, width: 14, inputs: 32, outputs: 64),
        .init(images: 4, height: 32, width: 32, inputs: 16, outputs: 16),
        .init(images: 16, height: 8, width: 8, inputs: 64, outputs: 64),
        .init(images: 3, height: 9, width: 7, inputs: 19, outputs: 37),
        .init(images: 4, height: 28, width: 28, inputs: 1, outputs: 32),
        .init(images: 4, height: 32, width: 32, inputs: 3, outputs: 16),
        .init(images: 4, height: 16, width: 16, inputs: 32, outputs: 64, stride: .init(2)),
        .init(images: 2, height: 13, width: 11, inputs: 5, outputs: 17, kernel: .init(5)),
    ]

    /// Reproducible normal numbers (Box and Muller 1958).
    private func normal(_ count: Int, seed: UInt64, deviation: Double) -> [Float] {
        var generator = SystemLikeGenerator(state: seed)
        return (0..<count).map { _ in
            let radius = (-2 * log(Double.random(in: 1e-12..<1, using: &generator))).squareRoot()
            let angle = 2 * Double.pi * Double.random(in: 0..<1, using: &generator)
            return Float(deviation * radius * cos(angle))
        }
    }

    private struct SystemLikeGenerator: RandomNumberGenerator {
        var state: UInt64
        /// SplitMix64 (Steele et al. 2014).
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// Largest error and root mean square error, over the root mean square of the expected values.
    private func errors(_ found: [Float], _ expected: [Double]) -> (
        largest: Double, typical: Double
    ) {
        var scale = 0.0
        var sum = 0.0
        var largest = 0.0
        for (f, e) in zip(found, expected) {
            scale += e * e
            sum += (Double(f) - e) * (Double(f) - e)
            largest = max(largest, abs(Double(f) - e))
        }
        let root = (scale / Double(expected.count)).squareRoot()
        return (largest / root, (sum / Double(expected.count)).squareRoot() / root)
    }

    @Test(arguments: cases) func roundingErrors(_ c: ConvolutionCase) throws {
        let window = try #require(c.window)
        let x = normal(c.images * window.inputCount, seed: 1, deviation: 1)
        let weight = normal(
            c.outputs * c.tapsPerOutput, seed: 2,
            deviation: (2 / Double(c.tapsPerOutput)).squareRoot())
        let dy = normal(c.outputCount(window), seed: 3, deviation: 1)
        let expected = c.naive(window, x: x, weight: weight, dy: dy)
        for strategy in c.strategies(window) {
            let found = try c.run(strategy, x: x, weight: weight, bias: nil, dy: dy, addingTo: nil)
            let y = errors(found.y, expected.y)
            let dx = errors(found.dx, expected.dx)
            let dWeight = errors(found.dWeight, expected.dWeight)
            // A study of these layers found largest errors of 4.5e-6 (y, dx) and 1.7e-5 (dW) for
            // direct sums, less for tiles of 2 x 2; root mean squares are a tenth of that. Tiles of
            // 4 x 4 are about twice as far off (with Lavin and Gray's points eight times).
            var bound = (y: 8e-6, dWeight: 2e-5)
            if case .winograd(tile: .fourByFour, _) = strategy { bound.y = 1.6e-5 }
            #expect(y.largest < bound.y && y.typical < bound.y / 10, "\(strategy) y \(y)")
            #expect(dx.largest < bound.y && dx.typical < bound.y / 10, "\(strategy) dx \(dx)")
            #expect(
                dWeight.largest < bound.dWeight && dWeight.typical < bound.dWeight / 5,
                "\(strategy) dWeight \(dWeight)")
        }
    }

    /// Workers with AVX2 and with AVX-512 have to agree to the last bit.
    @Test(
        .enabled(if: Arithmetic.widestFused == 16, "needs AVX-512"),
        arguments: cases + ConvolutionTests.cases.filter { $0.groups == 1 })
    func widthsGiveEqualBits(_ c: ConvolutionCase) throws {
        let window = try #require(c.window)
        let x = normal(c.images * window.inputCount, seed: 4, deviation: 1)
        let weight = normal(c.outputs * c.tapsPerOutput, seed: 5, deviation: 0.3)
        let dy = normal(c.outputCount(window), seed: 6, deviation: 1)
        let bias = normal(c.outputs, seed: 7, deviation: 1)
        func results(_ strategy: ConvolutionStrategy) throws -> [UInt32] {
            let found = try c.run(
                strategy, x: x, weight: weight, bias: bias, dy: dy, addingTo: 0.3)
            return (found.y + found.dx + found.dWeight).map(\.bitPattern)
        }
        #expect(try results(.columns(width: 8)) == results(.columns(width: 16)))
        for tile in WinogradTile.allCases {
            let wide = ConvolutionStrategy.winograd(tile: tile, width: 16)
            guard wide.serves(window: window, groups: 1) else { continue }
            #expect(try results(.winograd(tile: tile, width: 8)) == results(wide), "\(tile)")
        }
    }
}
