import Autodiff
import Glibc
import Tensors

// References by the C library's functions in Double.

private func normalDistribution(_ x: Double) -> Double { 0.5 * Glibc.erfc(-x / 2.0.squareRoot()) }

private func approximateGELU(_ x: Double) -> Double {
    0.5 * x * (1 + Glibc.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
}

private func onTensors(
    _ operation: @escaping (Tensor, Tensor) -> Tensor
) -> (Variable, Variable) -> Variable {
    { $0.tape.constant(operation(rounded($0), rounded($1))) }
}

/// -2 ... 2 as integers, so that equals and zeros are among them.
private func rounded(_ x: Variable) -> Tensor {
    Tensor(x.value.scalars.map { $0.rounded() }, x.shape)
}

private func truth(_ condition: Bool) -> Double { condition ? 1 : 0 }

extension OperationRow {
    // One statement per row: a single literal of so many closures is too much for the type checker.
    static func elementwise() -> [OperationRow] {
        var rows: [OperationRow] = []
        rows.append(unary("neg", neg) { -$0 })
        rows.append(unary("abs", abs) { Swift.abs($0) })
        rows.append(unary("exp", exp) { Glibc.exp($0) })
        rows.append(unary("log", in: 0.1...5, log) { Glibc.log($0) })
        rows.append(unary("sqrt", in: 0.1...5, sqrt) { $0.squareRoot() })
        rows.append(unary("rsqrt", in: 0.2...5, rsqrt) { 1 / $0.squareRoot() })
        rows.append(unary("reciprocal", in: 0.3...3, reciprocal) { 1 / $0 })
        rows.append(unary("square", square) { $0 * $0 })
        rows.append(unary("sin", sin) { Glibc.sin($0) })
        rows.append(unary("cos", cos) { Glibc.cos($0) })
        rows.append(unary("erf", erf) { Glibc.erf($0) })
        rows.append(unary("pow 3", functions: ["pow"], { pow($0, 3) }, { $0 * $0 * $0 }))
        rows.append(
            unary("pow -1.5", in: 0.3...3, functions: ["pow"], { pow($0, -1.5) }) {
                Glibc.pow($0, -1.5)
            })
        rows.append(
            unary("clip", { clip($0, -1, 0.5) }, { Swift.min(Swift.max($0, -1), 0.5) })
                .refusing(["clip", "2.0", "1.0"]) { tape in
                    _ = clip(tape.constant(Tensor(zeros: [1])), 2, 1)
                })
        // Twice the value of x, but the gradient of one.
        let stopped = { (x: Variable) -> Variable in x + stopGradient(x) - stopGradient(x) }
        rows.append(unary("stopGradient", stopped) { $0 })
        // Every use of x adds to its gradient.
        rows.append(unary("x * x + x", functions: [], { $0 * $0 + $0 }, { $0 * $0 + $0 }))
        return rows + activations() + withNumbers()
    }

    private static func activations() -> [OperationRow] {
        var rows: [OperationRow] = []
        rows.append(unary("relu", relu) { Swift.max($0, 0) })
        rows.append(unary("tanh", tanh) { Glibc.tanh($0) })
        rows.append(unary("sigmoid", sigmoid) { 1 / (1 + Glibc.exp(-$0)) })
        rows.append(unary("leakyRelu", { leakyRelu($0, slope: 0.125) }, { $0 < 0 ? $0 / 8 : $0 }))
        rows.append(unary("elu", { elu($0, alpha: 1.5) }, { $0 < 0 ? 1.5 * Glibc.expm1($0) : $0 }))
        rows.append(
            unary("gelu erf", functions: ["gelu"], { gelu($0) }, { $0 * normalDistribution($0) }))
        rows.append(unary("gelu tanh", functions: ["gelu"], { gelu($0, .tanh) }, approximateGELU))
        rows.append(unary("silu", silu) { $0 / (1 + Glibc.exp(-$0)) })
        rows.append(unary("softplus", softplus) { Glibc.log1p(Glibc.exp($0)) })
        rows.append(unary("logSigmoid", logSigmoid) { -Glibc.log1p(Glibc.exp(-$0)) })
        return rows
    }

    private static func withNumbers() -> [OperationRow] {
        var rows: [OperationRow] = []
        rows.append(unary("x + number", functions: ["+"], { $0 + 2 }, { $0 + 2 }))
        rows.append(unary("number + x", functions: ["+"], { 2 + $0 }, { $0 + 2 }))
        rows.append(unary("x - number", functions: ["-"], { $0 - 2 }, { $0 - 2 }))
        rows.append(unary("number - x", functions: ["-"], { 2 - $0 }, { 2 - $0 }))
        rows.append(unary("-x", functions: ["-"], { -$0 }, { -$0 }))
        rows.append(unary("x * number", functions: ["*"], { $0 * 3 }, { $0 * 3 }))
        rows.append(unary("number * x", functions: ["*"], { 3 * $0 }, { $0 * 3 }))
        rows.append(unary("x / number", functions: ["/"], { $0 / 3 }, { $0 / 3 }))
        rows.append(unary("number / x", in: 0.3...3, functions: ["/"], { 3 / $0 }, { 3 / $0 }))
        return rows
    }

    static func arithmetic() -> [OperationRow] {
        var rows: [OperationRow] = []
        rows.append(binary("add", functions: ["add", "+"], add, +))
        rows.append(binary("subtract", functions: ["subtract", "-"], subtract, -))
        rows.append(binary("multiply", functions: ["multiply", "*"], multiply, *))
        rows.append(
            binary("divide", in: -2...2, and: 0.5...2, functions: ["divide", "/"], divide, /))
        rows.append(binary("maximum", maximum) { Swift.max($0, $1) })
        rows.append(binary("minimum", minimum) { Swift.min($0, $1) })
        rows.append(binary("pow", in: 0.3...2, and: -2...2, pow) { Glibc.pow($0, $1) })
        return rows
    }

    static func comparisons() -> [OperationRow] {
        func row(
            _ name: String, _ operation: @escaping (Tensor, Tensor) -> Tensor,
            _ reference: @escaping (Double, Double) -> Bool
        ) -> OperationRow {
            binary(name, isDifferentiable: false, onTensors(operation)) {
                truth(reference($0.rounded(), $1.rounded()))
            }
        }
        return [
            row("equal", equal, ==), row("notEqual", notEqual, !=), row("less", less, <),
            row("lessOrEqual", lessOrEqual, <=), row("greater", greater, >),
            row("greaterOrEqual", greaterOrEqual, >=),
            row("logicalAnd", logicalAnd) { $0 != 0 && $1 != 0 },
            row("logicalOr", logicalOr) { $0 != 0 || $1 != 0 },
            row("logicalXor", logicalXor) { ($0 != 0) != ($1 != 0) },
            OperationRow(
                name: "logicalNot", functions: ["logicalNot"], isDifferentiable: false,
                cases: elementwiseShapes.map { shape in
                    OperationCase.of(
                        shape, apply: { $0[0].tape.constant(logicalNot(rounded($0[0]))) },
                        reference: { $0[0].map { truth($0.rounded() == 0) } })
                }),
        ]
    }
}
