import Autodiff
import Tensors
import TestSupport
import Testing

// The custom operation from the documentation at the top of Hooks.swift, word for word.

func scaledSquare(_ x: Variable, scale: Parameter) -> Variable {
    let rows = x.shape.rows, columns = x.shape.columns
    let y = Tensor(uninitialized: x.shape)
    for r in 0..<rows {
        for c in 0..<columns {
            let value = x.value.pointer[r * columns + c]
            y.pointer[r * columns + c] = value * value * scale.value.pointer[c]
        }
    }
    return x.tape.record(y, from: [x], using: [scale]) { upstream in
        x.tape.addGradient(to: scale) { gradient, beta in
            for c in 0..<columns {
                var sum: Float = 0
                for r in 0..<rows {
                    let value = x.value.pointer[r * columns + c]
                    sum += upstream.pointer[r * columns + c] * value * value
                }
                // beta is 0 for the first contribution of a step: it overwrites.
                gradient[c] = beta == 0 ? sum : gradient[c] + sum
            }
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        for r in 0..<rows {
            for c in 0..<columns {
                let i = r * columns + c
                dx.pointer[i] =
                    upstream.pointer[i] * 2 * x.value.pointer[i] * scale.value.pointer[c]
            }
        }
        x.tape.addGradient(dx, to: x)
    }
}

@Suite struct CustomOperationTests {
    @Test func documentedOperationIsRight() {
        var generator = SplitMix(seed: 1)
        let scale = Parameter(generator.tensor([5]))
        GradientCheck().expectRight(inputs: [generator.tensor([3, 5])], parameters: [scale]) {
            scaledSquare(scaledSquare($0[0], scale: scale), scale: scale)
        }
    }

    @Test func documentationHoldsTheCompiledText() throws {
        let here = try String(contentsOfFile: #filePath, encoding: .utf8)
        let hooks = #filePath.replacing(
            "Tests/AutodiffTests/Tape/CustomOperationTests.swift",
            with: "Sources/Autodiff/ActivationHooks.swift")
        let documentation = try String(contentsOfFile: hooks, encoding: .utf8)
            .split(separator: "\n").filter { $0.hasPrefix("//     ") }
            .map { $0.dropFirst(7) }.joined(separator: "\n")
        let start = try #require(here.range(of: "func scaledSquare"))
        let end = try #require(here.range(of: "\n}\n"))
        #expect(documentation == here[start.lowerBound..<end.lowerBound] + "\n}")
    }
}
