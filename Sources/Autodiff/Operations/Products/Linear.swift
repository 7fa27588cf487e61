import CKernels
import Kernels
import Tensors

/// y = x W^T + b.
///
/// - Parameters:
///   - x: [..., I]; all dimensions but the last are rows.
///   - weight: [O, I]; bias: [O] or nil.
/// - Returns: [..., O].
/// Cost: 2 rows I O FLOPs forward, twice that backward.
public func linear(_ x: Variable, weight: Parameter, bias: Parameter?) -> Variable {
    let rows = x.shape.rows
    let inputs = x.shape.columns
    require(
        weight.shape.rank == 2 && weight.shape[1] == inputs,
        "linear: weight \(weight.shape), x \(x.shape)")
    let outputs = weight.shape[0]
    require(
        bias.map { $0.shape == [outputs] } ?? true,
        "linear: bias \(shapeText(bias)) for \(outputs) outputs")
    let y = Tensor(uninitialized: Shape(x.shape.dimensions.dropLast() + [outputs]))
    matrixProduct(
        x.value.pointer, weight.value.pointer, transposeB: true, into: y.pointer, m: rows,
        n: outputs, k: inputs, adding: bias.map { UnsafePointer($0.value.pointer) })
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    return x.tape.record(
        y, from: [x], using: parameters, flops: 2 * rows * outputs * inputs
    ) { upstream in
        if let bias {
            x.tape.addGradient(to: bias) { gradient, beta in
                rondo_column_sums(gradient, upstream.pointer, rows, outputs, beta != 0)
            }
        }
        x.tape.addGradient(to: weight) { gradient, beta in
            matrixProduct(
                upstream.pointer, transposeA: true, x.value.pointer, into: gradient, m: outputs,
                n: inputs, k: rows, beta: beta)
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        matrixProduct(
            upstream.pointer, weight.value.pointer, into: dx.pointer, m: rows, n: inputs,
            k: outputs)
        x.tape.addGradient(dx, to: x)
    }
}
