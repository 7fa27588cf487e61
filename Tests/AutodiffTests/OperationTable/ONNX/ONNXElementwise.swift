import Autodiff
import Tensors

// ONNX's elementwise operators in our operations; where we have no operation of that name, it is
// written as a formula of ours.

typealias ONNXOperator = @Sendable (ONNXCall) throws -> [ONNXTensor]

private func unary(_ operation: @escaping @Sendable (Variable, ONNXNode) throws -> Variable)
    -> ONNXOperator
{
    { call in [try call.result(try operation(call.x(), call.node))] }
}

private func binary(
    _ operation: @escaping @Sendable (Variable, Variable) -> Variable
) -> ONNXOperator {
    { call in [try call.result(operation(call.x(0), call.x(1)))] }
}

private func comparison(_ operation: @escaping @Sendable (Tensor, Tensor) -> Tensor) -> ONNXOperator
{
    { call in [try call.result(operation(call.x(0).value, call.x(1).value), .bool)] }
}

private func folded(_ operation: @escaping @Sendable (Variable, Variable) -> Variable)
    -> ONNXOperator
{
    { call in
        let inputs = try call.xs()
        return [try call.result(inputs.dropFirst().reduce(inputs[0], operation))]
    }
}

private func selected(_ condition: Tensor, _ a: Variable, _ b: Variable) -> Variable {
    select(where: condition, a, b)
}

private func zero(_ x: Variable) -> Variable { x.tape.constant(Tensor(zeros: [])) }

enum ONNXElementwise {
    static let operators: [String: ONNXOperator] = functions.merging(
        arithmetic, uniquingKeysWith: { $1 })

    private static let functions: [String: ONNXOperator] = [
        "Abs": unary { x, _ in abs(x) }, "Neg": unary { x, _ in neg(x) },
        "Exp": unary { x, _ in exp(x) }, "Log": unary { x, _ in log(x) },
        "Sqrt": unary { x, _ in sqrt(x) }, "Reciprocal": unary { x, _ in reciprocal(x) },
        "Sin": unary { x, _ in sin(x) }, "Cos": unary { x, _ in cos(x) },
        "Tan": unary { x, _ in sin(x) / cos(x) },
        "Tanh": unary { x, _ in tanh(x) }, "Sigmoid": unary { x, _ in sigmoid(x) },
        "Relu": unary { x, _ in relu(x) }, "Erf": unary { x, _ in erf(x) },
        "Softplus": unary { x, _ in softplus(x) }, "Identity": unary { x, _ in x },
        "Sinh": unary { x, _ in (exp(x) - exp(-x)) * 0.5 },
        "Cosh": unary { x, _ in (exp(x) + exp(-x)) * 0.5 },
        "Elu": unary { x, node in elu(x, alpha: node.float("alpha", 1)) },
        "LeakyRelu": unary { x, node in leakyRelu(x, slope: node.float("alpha", 0.01)) },
        "Gelu": unary { x, node in
            gelu(x, node.string("approximate", "none") == "tanh" ? .tanh : .erf)
        },
        "Celu": unary { x, node in
            let alpha = node.float("alpha", 1)
            return elu(x * (1 / alpha), alpha: 1) * alpha
        },
        "Selu": unary { x, node in
            elu(x, alpha: node.float("alpha", 1.67326319217681884765625))
                * node.float("gamma", 1.05070102214813232421875)
        },
        "HardSigmoid": unary { x, node in
            clip(x * node.float("alpha", 0.2) + node.float("beta", 0.5), 0, 1)
        },
        "HardSwish": unary { x, _ in x * clip(x * (1 / 6) + 0.5, 0, 1) },
        "Mish": unary { x, _ in x * tanh(softplus(x)) },
        "Swish": unary { x, node in x * sigmoid(x * node.float("alpha", 1)) },
        "Softsign": unary { x, _ in x / (abs(x) + 1) },
        "ThresholdedRelu": unary { x, node in
            let limit = Tensor.full([], node.float("alpha", 1))
            return selected(greater(x.value, limit), x, zero(x))
        },
        "Shrink": unary { x, node in
            let limit = node.float("lambd", 0.5)
            let bias = node.float("bias", 0)
            let upper = selected(greater(x.value, Tensor.full([], limit)), x - bias, zero(x))
            return selected(less(x.value, Tensor.full([], -limit)), x + bias, upper)
        },
        "Sign": unary { x, _ in
            let none = Tensor(zeros: [])
            return x.tape.constant(greater(x.value, none))
                - x.tape.constant(less(x.value, none))
        },
        "Not": { call in [try call.result(logicalNot(call.x().value), .bool)] },
        "IsNaN": { call in [try call.result(notEqual(call.x().value, call.x().value), .bool)] },
        "Clip": { call in
            let low = call.has(1) ? Float(try call.number(1)) : -.infinity
            let high = call.has(2) ? Float(try call.number(2)) : .infinity
            guard low <= high else { throw ONNXExclusion("clip refuses an empty range") }
            return [try call.result(clip(call.x(), low, high))]
        },
    ]

    private static let arithmetic: [String: ONNXOperator] = [
        "Add": binary { $0 + $1 }, "Sub": binary { $0 - $1 }, "Mul": binary { $0 * $1 },
        "Pow": binary { pow($0, $1) },
        "Div": { call in
            let y = try call.x(0) / call.x(1)
            return [try call.result(y)]
        },
        "PRelu": binary { x, slope in relu(x) - slope * relu(-x) },
        "Max": folded(maximum), "Min": folded(minimum), "Sum": folded { $0 + $1 },
        "Mean": { call in
            let inputs = try call.xs()
            let total = inputs.dropFirst().reduce(inputs[0]) { $0 + $1 }
            return [try call.result(total / Float(inputs.count))]
        },
        "Equal": comparison(equal), "Less": comparison(less),
        "LessOrEqual": comparison(lessOrEqual), "Greater": comparison(greater),
        "GreaterOrEqual": comparison(greaterOrEqual), "And": comparison(logicalAnd),
        "Or": comparison(logicalOr), "Xor": comparison(logicalXor),
        "Where": { call in
            let y = select(where: try call.x(0).value, try call.x(1), try call.x(2))
            return [try call.result(y, try call.tensor(1).element)]
        },
    ]
}
