import Glibc
import Kernels
import Testing

@Suite struct PortableMathTests {
    @Test func logarithmAgreesWithTheLibrary() {
        for exponent in stride(from: -300.0, through: 300, by: 0.37) {
            let x = Glibc.exp(exponent)
            #expect(abs(PortableMath.logarithm(x) - exponent) <= 4e-16 * max(1, abs(exponent)) * 2)
        }
        #expect(PortableMath.logarithm(1) == 0)
    }

    @Test func cosineAgreesWithTheLibrary() {
        for step in 0...1000 {
            let fraction = Double(step) / 1000
            #expect(
                abs(PortableMath.cosineOfHalfTurns(fraction) - Glibc.cos(.pi * fraction)) < 1e-15)
        }
        #expect(PortableMath.cosineOfHalfTurns(0) == 1)
        #expect(PortableMath.cosineOfHalfTurns(1) == -1)
    }

    @Test func powers() {
        #expect(PortableMath.power(0.9, 0) == 1)
        #expect(PortableMath.power(2, 10) == 1024)
        // Each of the twenty products rounds once and doubles what the squares have lost.
        #expect(abs(PortableMath.power(0.999, 1000) / Glibc.pow(0.999, 1000) - 1) < 1e-13)
    }
}
