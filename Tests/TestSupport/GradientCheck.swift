import Autodiff
import Tensors
import Testing

// Central differences in Float32. With values near 1 the loss L = sum(u * y), added up in Double,
// is uncertain by about 1e-7 per term; a step of 0.01 turns that into 1e-5 of a derivative, and the
// truncation h^2 / 6 * f''' is of the same size. Over a whole gradient the relative error stays
// below 1e-3, so a limit of 3e-3 passes every right rule and catches one that is off by 1 %.

package struct GradientCheck {
    package static let step: Float = 0.01
    package static let limit = 3e-3

    /// One random number generator per check; its seed is printed with a failure.
    package let seed: UInt64

    package init(seed: UInt64 = 20_261) { self.seed = seed }

    /// Relative error of each gradient: those of `inputs`, then those of `parameters`.
    package func errors(
        inputs: [Tensor], parameters: [Parameter] = [], settings: PassSettings = Self.settings,
        _ function: ([Variable]) -> Variable
    ) -> [Double] {
        var generator = SplitMix(seed: seed)
        let shape = value(inputs, settings, function).shape
        let upstream = Tensor(
            (0..<shape.count).map { _ in generator.uniform(0.5...1.5) * generator.sign() }, shape)
        let analytic = gradients(inputs, parameters, settings, upstream, function)
        func loss() -> Double {
            let y = value(inputs, settings, function)
            return zip(y.scalars, upstream.scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let tensors = inputs + parameters.map(\.value)
        return zip(tensors, analytic).map { tensor, gradient in
            var difference = 0.0
            var norm = 0.0
            for element in 0..<tensor.count {
                let before = tensor.pointer[element]
                tensor.pointer[element] = before + Self.step
                let above = loss()
                tensor.pointer[element] = before - Self.step
                let below = loss()
                tensor.pointer[element] = before
                let numeric = (above - below) / (2 * Double(Self.step))
                difference +=
                    (numeric - Double(gradient[element])) * (numeric - Double(gradient[element]))
                norm += numeric * numeric
            }
            // A gradient of zeros has no scale of its own; then the difference itself counts.
            return (difference / max(norm, 1e-6)).squareRoot()
        }
    }

    /// Expects every gradient within the limit.
    package func expectRight(
        inputs: [Tensor], parameters: [Parameter] = [], settings: PassSettings = Self.settings,
        sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Variable]) -> Variable
    ) {
        let errors = errors(inputs: inputs, parameters: parameters, settings: settings, function)
        #expect(errors.count == inputs.count + parameters.count)
        for (index, error) in errors.enumerated() {
            #expect(
                error < Self.limit, "gradient \(index) is off by \(error), seed \(seed)",
                sourceLocation: sourceLocation)
        }
    }

    package static let settings = PassSettings.training(
        seed: 7, step: 3, replica: 1, microBatch: 0, sampleCount: 2)

    private func value(
        _ inputs: [Tensor], _ settings: PassSettings, _ function: ([Variable]) -> Variable
    ) -> Tensor {
        let tape = Tape(settings)
        return function(inputs.map { tape.constant($0.copied()) }).value
    }

    private func gradients(
        _ inputs: [Tensor], _ parameters: [Parameter], _ settings: PassSettings,
        _ upstream: Tensor, _ function: ([Variable]) -> Variable
    ) -> [[Float]] {
        let tape = Tape(settings)
        var gradients = inputs.map { [Float](repeating: 0, count: $0.count) }
        let variables = inputs.enumerated().map { index, input in
            tape.input(input.copied()) { gradients[index] = $0.scalars }
        }
        for parameter in parameters { parameter.attachGradient() }
        let y = function(variables)
        tape.backward(from: y, upstream: upstream.copied())
        return gradients + parameters.map { $0.gradient?.scalars ?? [] }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): seeded numbers for tests.
package struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    package mutating func uniform(_ range: ClosedRange<Float>) -> Float {
        Float.random(in: range, using: &self)
    }

    package mutating func sign() -> Float { Bool.random(using: &self) ? 1 : -1 }

    package mutating func tensor(_ shape: Shape, _ range: ClosedRange<Float> = -1...1) -> Tensor {
        Tensor((0..<shape.count).map { _ in uniform(range) }, shape)
    }

    /// Values at least 0.05 apart from each other and from 0: no step of the check crosses a kink.
    package mutating func separated(_ shape: Shape) -> Tensor {
        let grid = (0..<shape.count).map { 0.05 * (Float($0 - shape.count / 2) + 0.5) }
        return Tensor(grid.shuffled(using: &self), shape)
    }
}
