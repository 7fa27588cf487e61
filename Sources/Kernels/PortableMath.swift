// Logarithm, cosine and power in plain double arithmetic.
//
// The C library chooses between variants with and without fused multiply-add per processor, and
// they may differ in the last bit. Initial weights and learning rates must be equal on every host,
// so they come from here: only +, -, *, / and square root, each rounded once. Accurate to 1e-13 or
// better, far finer than the Float32 that they are rounded to.

/// Elementary functions whose bits do not depend on the processor.
public enum PortableMath {
    /// The natural logarithm of a positive, finite, normal x: x = m 2^e, ln m = 2 artanh((m - 1) /
    /// (m + 1)).
    public static func logarithm(_ x: Double) -> Double {
        require(x > 0 && x.isNormal, "logarithm of \(x)")
        var exponent = Double(x.exponent)
        var mantissa = x.significand
        if mantissa > 1.4142135623730951 {
            mantissa /= 2
            exponent += 1
        }
        let s = (mantissa - 1) / (mantissa + 1)
        let square = s * s
        // |s| <= 0.172, so the term s^25 / 25 is below 1e-20.
        var sum = 0.0
        for odd in stride(from: 23, through: 1, by: -2) { sum = sum * square + 1 / Double(odd) }
        return exponent * 0.6931471805599453 + 2 * s * sum
    }

    /// cos(pi * fraction) for a fraction in 0...1, by Taylor's series on a quarter turn.
    public static func cosineOfHalfTurns(_ fraction: Double) -> Double {
        require((0...1).contains(fraction), "cosine of \(fraction) half turns")
        if fraction > 0.5 { return -cosineOfHalfTurns(1 - fraction) }
        let x = Double.pi * fraction
        let square = x * x
        // x <= pi / 2: the term x^24 / 24! is below 1e-19.
        var sum = 1.0
        for even in stride(from: 24, through: 2, by: -2) {
            sum = 1 - sum * square / Double(even * (even - 1))
        }
        return sum
    }

    /// base^exponent by repeated squaring.
    public static func power(_ base: Double, _ exponent: Int) -> Double {
        require(exponent >= 0, "power with exponent \(exponent)")
        var result = 1.0
        var factor = base
        var remaining = exponent
        while remaining > 0 {
            if remaining & 1 == 1 { result *= factor }
            factor *= factor
            remaining >>= 1
        }
        return result
    }
}
