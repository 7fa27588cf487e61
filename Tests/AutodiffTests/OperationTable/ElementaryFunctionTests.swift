import Autodiff
import Glibc
import Tensors
import Testing

// The error of our own functions in units in the last place, against the C library in Double.

@Suite struct ElementaryFunctionTests {
    private func measure(
        _ name: String, _ inputs: [Float], limit: Double,
        _ function: (Variable) -> Variable, _ reference: (Double) -> Double
    ) {
        let tape = Tape(.evaluation)
        let values = function(tape.constant(Tensor(inputs, [inputs.count]))).value.scalars
        var worst = 0.0
        var place: Float = 0
        for (x, y) in zip(inputs, values) {
            let exact = reference(Double(x))
            // Above the largest float the result must be infinity.
            if Float(exact).isInfinite {
                #expect(y == Float(exact), "\(name)(\(x)) is \(y)")
                continue
            }
            let unit = Double(Swift.max(Float(Swift.abs(exact)).ulp, Float.leastNonzeroMagnitude))
            let error = Swift.abs(Double(y) - exact) / unit
            if !(error <= worst) { (worst, place) = (error, x) }
        }
        print("\(name): \(worst) units in the last place at \(place), \(inputs.count) arguments")
        #expect(worst <= limit, "\(name) is off by \(worst) units at \(place)")
    }

    /// Evenly spread over a range, with its ends.
    private func linear(_ low: Double, _ high: Double, _ count: Int = 200_000) -> [Float] {
        (0...count).map { Float(low + (high - low) * Double($0) / Double(count)) }
    }

    /// Every 4099th positive float, from the denormals to infinity.
    private var allMagnitudes: [Float] {
        stride(from: UInt32(1), to: 0x7f80_0000, by: 4099).map(Float.init(bitPattern:))
    }

    private var bothSigns: [Float] { allMagnitudes + allMagnitudes.map { -$0 } }

    @Test func exponential() {
        measure("exp", linear(-104, 89) + bothSigns, limit: 2, { exp($0) }, Glibc.exp)
        measure("exp near 0", linear(-1, 1), limit: 2, { exp($0) }, Glibc.exp)
    }

    @Test func logarithm() {
        measure("log", allMagnitudes, limit: 2, { log($0) }, Glibc.log)
        measure("log near 1", linear(0.5, 2), limit: 2, { log($0) }, Glibc.log)
    }

    @Test func sineAndCosine() {
        for (name, range) in [
            ("near 0", linear(-8, 8)), ("far", linear(-10_000, 10_000)),
            ("to 1.6e6", linear(-1.6e6, 1.6e6)), ("tiny", bothSigns.filter { Swift.abs($0) < 1 }),
        ] {
            measure("sin \(name)", range, limit: 2, { sin($0) }, Glibc.sin)
            measure("cos \(name)", range, limit: 2, { cos($0) }, Glibc.cos)
        }
    }

    @Test func errorFunction() {
        measure("erf", linear(-6, 6) + bothSigns, limit: 2, { erf($0) }, Glibc.erf)
    }

    @Test func hyperbolicTangent() {
        measure("tanh", linear(-10, 10), limit: 3, { tanh($0) }, Glibc.tanh)
    }

    @Test func smoothActivations() {
        measure(
            "softplus", linear(-80, 80), limit: 4, { softplus($0) },
            { $0 > 40 ? $0 : Glibc.log1p(Glibc.exp($0)) })
        measure(
            "silu", linear(-80, 80), limit: 4, { silu($0) }, { $0 / (1 + Glibc.exp(-$0)) })
        measure(
            "elu", linear(-20, 20), limit: 3, { elu($0) }, { $0 < 0 ? Glibc.expm1($0) : $0 })
        measure(
            "gelu, upper half", linear(0, 10), limit: 3, { gelu($0) },
            { $0 * 0.5 * Glibc.erfc(-$0 / 2.0.squareRoot()) })
    }

    @Test func powers() {
        for exponent: Float in [-2, -0.5, 0.5, 1, 1.7, 2, 3, 10] {
            measure(
                "pow \(exponent)", allMagnitudes, limit: 1, { pow($0, exponent) },
                { Glibc.pow($0, Double(exponent)) })
        }
        for exponent: Float in [-3, -2, 3, 4] {
            measure(
                "pow \(exponent) below 0", linear(-20, -0.1, 5000), limit: 1,
                { pow($0, exponent) }, { Glibc.pow($0, Double(exponent)) })
        }
    }

    /// The corner cases of the C standard.
    @Test func specialValues() {
        let tape = Tape(.evaluation)
        func value(_ x: Float, _ function: (Variable) -> Variable) -> Float {
            function(tape.constant(Tensor([x], []))).value.scalars[0]
        }
        let inf = Float.infinity
        #expect(value(-inf, { exp($0) }) == 0)
        #expect(value(inf, { exp($0) }) == inf)
        #expect(value(.nan, { exp($0) }).isNaN)
        #expect(value(0, { log($0) }) == -inf)
        #expect(value(-1, { log($0) }).isNaN)
        #expect(value(inf, { log($0) }) == inf)
        #expect(value(.nan, { log($0) }).isNaN)
        #expect(value(inf, { erf($0) }) == 1)
        #expect(value(-inf, { erf($0) }) == -1)
        #expect(value(.nan, { erf($0) }).isNaN)
        #expect(value(inf, { sin($0) }).isNaN)
        for a in [0, -0.0, 1, -1, 2, -2, 0.5, inf, -inf, .nan] as [Float] {
            for b in [0, 1, -1, 2, 3, -3, 0.5, -0.5, 1e30, inf, -inf, .nan] as [Float] {
                let ours = value(a, { pow($0, b) })
                let theirs = Glibc.powf(a, b)
                #expect(
                    ours == theirs || (ours.isNaN && theirs.isNaN),
                    "\(a) to the power \(b): \(ours), not \(theirs)")
            }
        }
    }
}
