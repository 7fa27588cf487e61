import CKernels
import Kernels
import Tensors

/// gelu(x W^T + b); x: [..., I], weight: [O, I], bias: [O].
///
/// Bias, function and derivative are one pass over the product, which then holds the derivative:
/// backward multiplies by it.
public func linearGELU(
    _ x: Variable, weight: Parameter, bias: Parameter, form: GELUForm = .erf
) -> Variable {
    let rows = x.shape.rows
    let inputs = x.shape.columns
    require(
        weight.shape.rank == 2 && weight.shape[1] == inputs && bias.shape == [weight.shape[0]],
        "linear: weight \(weight.shape), bias \(bias.shape), x \(x.shape)")
    let outputs = weight.shape[0]
    let slopes = Tensor(uninitialized: Shape(x.shape.dimensions.dropLast() + [outputs]))
    matrixProduct(
        x.value.pointer, weight.value.pointer, transposeB: true, into: slopes.pointer, m: rows,
        n: outputs, k: inputs)
    let keepsSlopes = x.tape.settings.records
    let y = keepsSlopes ? Tensor(uninitialized: slopes.shape) : slopes
    rondo_bias_gelu(
        Int64(Arithmetic.fusedWidth), y.pointer, slopes.pointer, bias.value.pointer,
        form == .erf ? rondo_gelu_form_erf : rondo_gelu_form_tanh, keepsSlopes, rows, outputs)
    return x.tape.record(
        y, from: [x], using: [weight, bias], flops: 2 * rows * outputs * inputs
    ) { upstream in
        let dh = upstream.isUnique() ? upstream : Tensor(uninitialized: y.shape)
        rondo_multiply(dh.pointer, upstream.pointer, slopes.pointer, dh.count)
        x.tape.addGradient(to: bias) { gradient, beta in
            rondo_column_sums(gradient, dh.pointer, rows, outputs, beta != 0)
        }
        x.tape.addGradient(to: weight) { gradient, beta in
            matrixProduct(
                dh.pointer, transposeA: true, x.value.pointer, into: gradient, m: outputs,
                n: inputs, k: rows, beta: beta)
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        matrixProduct(
            dh.pointer, weight.value.pointer, into: dx.pointer, m: rows, n: inputs, k: outputs)
        x.tape.addGradient(dx, to: x)
    }
}
