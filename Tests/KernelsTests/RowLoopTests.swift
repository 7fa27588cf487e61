import CKernels
import Glibc
import Testing

// Loops over rows against plain arithmetic in double, at widths around their vectors and strips.

@Suite struct RowLoopTests {
    private func values(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / 2_147_483_648
        }
    }

    @Test(arguments: [(1, 1), (3, 7), (17, 16), (40, 70), (33, 147)])
    func layerNormalization(rows: Int, columns: Int) {
        let x = values(rows * columns, seed: 1)
        let dy = values(rows * columns, seed: 2)
        let weight = values(columns, seed: 3)
        let bias = values(columns, seed: 4)
        let epsilon: Float = 1e-3
        var y = x
        var mean = values(rows, seed: 5)
        var scale = mean
        rondo_layer_norm(&y, &mean, &scale, x, weight, bias, epsilon, rows, columns)
        // The gradient of the input takes the place of that of the output.
        var dx = dy
        var dweight = weight
        var dbias = bias
        dx.withUnsafeMutableBufferPointer { dx in
            rondo_layer_norm_gradient(
                dx.baseAddress, &dweight, &dbias, dx.baseAddress, x, mean, scale, weight, rows,
                columns)
        }
        var sums = [Double](repeating: 0, count: columns)
        var scaledSums = sums
        for r in 0..<rows {
            let line = (0..<columns).map { Double(x[r * columns + $0]) }
            let m = line.reduce(0, +) / Double(columns)
            let variance = line.reduce(0) { $0 + ($1 - m) * ($1 - m) } / Double(columns)
            let s = 1 / (variance + Double(epsilon)).squareRoot()
            let normal = line.map { ($0 - m) * s }
            let d = (0..<columns).map { Double(dy[r * columns + $0] * weight[$0]) }
            let shift = d.reduce(0, +) / Double(columns)
            let slope = zip(d, normal).reduce(0) { $0 + $1.0 * $1.1 } / Double(columns)
            for c in 0..<columns {
                let i = r * columns + c
                #expect(abs(Double(y[i]) - normal[c] * Double(weight[c]) - Double(bias[c])) < 1e-5)
                #expect(abs(Double(dx[i]) - s * (d[c] - shift - normal[c] * slope)) < 1e-4)
                sums[c] += Double(dy[i])
                scaledSums[c] += Double(dy[i]) * normal[c]
            }
        }
        for c in 0..<columns {
            #expect(abs(Double(dbias[c]) - sums[c]) < 1e-5)
            #expect(abs(Double(dweight[c]) - scaledSums[c]) < 1e-4)
        }
    }

    /// Fused or not, value and slope are right to the last digits; vectors of both widths give the
    /// same bits.
    @Test func gelu() {
        let inputs = (-1500...1500).map { Float($0) / 100 } + [-200, 200, -1e30, 1e30]
        let bias = [Float](repeating: 0, count: inputs.count)
        func run(_ width: Int64) -> (values: [Float], slopes: [Float]) {
            var values = bias
            var slopes = inputs
            rondo_bias_gelu(
                width, &values, &slopes, bias, rondo_gelu_form_erf, true, 1, inputs.count)
            return (values, slopes)
        }
        let widths = [0, 8, 16].filter { $0 <= rondo_fused_width() }
        for width in widths {
            let (values, slopes) = run(width)
            for (index, input) in inputs.enumerated() {
                let x = Double(input)
                let phi = 0.5 * erfc(-x / 2.squareRoot())
                let density = exp(-0.5 * x * x) / (2 * Double.pi).squareRoot()
                #expect(abs(Double(values[index]) - x * phi) <= 2e-7 * max(1, abs(x * phi)))
                #expect(abs(Double(slopes[index]) - phi - x * density) < 4e-7)
            }
            var alone = inputs
            alone.withUnsafeMutableBufferPointer { alone in
                rondo_bias_gelu(
                    width, alone.baseAddress, alone.baseAddress, bias, rondo_gelu_form_erf, false,
                    1, inputs.count)
            }
            #expect(alone == values)
        }
        if widths.contains(16) { #expect(run(8) == run(16)) }
    }
}
