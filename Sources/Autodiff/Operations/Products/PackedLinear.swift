import CKernels
import Kernels
import Tensors

// The linear maps around an attention: by some rows of a packed weight, and with GELU in the same pass.

/// y = x W[rows]^T + b[rows]: the part of a packed projection that this input needs.
///
/// - Parameters:
///   - x: [..., I]; weight: [O, I]; rows: outputs wanted, within 0 ..< O.
///   - bias: nil, or at least `firstBias + rows.count` numbers; those from `firstBias` on are used.
/// - Returns: [..., rows.count].
public func linear(
    _ x: Variable, weight: Parameter, rows outputs: Range<Int>, bias: Parameter?, firstBias: Int
) -> Variable {
    let rows = x.shape.rows
    let inputs = x.shape.columns
    precondition(
        weight.shape.rank == 2 && weight.shape[1] == inputs && outputs.lowerBound >= 0
            && outputs.upperBound <= weight.shape[0],
        "linear: rows \(outputs) of \(weight.shape), x \(x.shape)")
    let count = outputs.count
    let biasRows = firstBias..<firstBias + count
    precondition(
        bias.map { biasRows.upperBound <= $0.shape.count } ?? true,
        "linear: bias \(biasRows) of another length")
    let y = Tensor(uninitialized: Shape(x.shape.dimensions.dropLast() + [count]))
    let offset = outputs.lowerBound * inputs
    matrixProduct(
        x.value.pointer, weight.value.pointer + offset, transposeB: true, into: y.pointer, m: rows,
        n: count, k: inputs, adding: bias.map { UnsafePointer($0.value.pointer + firstBias) })
    let parameters = [weight] + (bias.map { [$0] } ?? [])
    return x.tape.record(
        y, from: [x], using: parameters, flops: 2 * rows * count * inputs
    ) { upstream in
        if let bias {
            x.tape.addGradient(to: bias) { gradient, beta in
                zeroOutside(biasRows, of: bias, gradient, beta, columns: 1)
                rondo_column_sums(
                    gradient + firstBias, upstream.pointer, rows, count, beta != 0)
            }
        }
        x.tape.addGradient(to: weight) { gradient, beta in
            zeroOutside(outputs, of: weight, gradient, beta, columns: inputs)
            matrixProduct(
                upstream.pointer, transposeA: true, x.value.pointer, into: gradient + offset,
                m: count, n: inputs, k: rows, beta: beta)
        }
        guard x.isDifferentiated else { return }
        let dx = Tensor(uninitialized: x.shape)
        matrixProduct(
            upstream.pointer, weight.value.pointer + offset, into: dx.pointer, m: rows, n: inputs,
            k: count)
        x.tape.addGradient(dx, to: x)
    }
}

/// The first contribution to a parameter overwrites all of it, also where it has nothing to say.
private func zeroOutside(
    _ rows: Range<Int>, of parameter: Parameter, _ gradient: UnsafeMutablePointer<Float>,
    _ beta: Float, columns: Int
) {
    guard beta == 0 else { return }
    gradient.update(repeating: 0, count: rows.lowerBound * columns)
    let end = rows.upperBound * columns
    (gradient + end).update(repeating: 0, count: parameter.shape.count - end)
}

/// gelu(x W^T + b); x: [..., I], weight: [O, I], bias: [O].
///
/// Bias, function and derivative are one pass over the product, which then holds the derivative:
/// backward multiplies by it.
public func linearGELU(
    _ x: Variable, weight: Parameter, bias: Parameter, form: GELUForm = .erf
) -> Variable {
    let rows = x.shape.rows
    let inputs = x.shape.columns
    let outputs = weight.shape[0]
    precondition(
        weight.shape == [outputs, inputs] && bias.shape == [outputs],
        "linear: weight \(weight.shape), bias \(bias.shape), x \(x.shape)")
    let slopes = Tensor(uninitialized: Shape(x.shape.dimensions.dropLast() + [outputs]))
    matrixProduct(
        x.value.pointer, weight.value.pointer, transposeB: true, into: slopes.pointer, m: rows,
        n: outputs, k: inputs)
    let isTraining = x.tape.settings.isTraining
    let y = isTraining ? Tensor(uninitialized: slopes.shape) : slopes
    rondo_bias_gelu(
        Int64(Arithmetic.fusedWidth), y.pointer, slopes.pointer, bias.value.pointer,
        form == .erf ? rondo_gelu_form_erf : rondo_gelu_form_tanh, isTraining, rows, outputs)
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

/// x + table[first ..< first + T], the same for every sample. x: [N, T, C]; table: [positions, C].
public func addPositions(_ x: Variable, table: Parameter, first: Int = 0) -> Variable {
    let samples = x.shape[0]
    let steps = x.shape[1]
    let width = x.shape[2]
    let offset = first * width
    let y = positioned(x.value, table.value, first: first)
    return x.tape.record(y, from: [x], using: [table]) { upstream in
        x.tape.addGradient(to: table) { gradient, beta in
            zeroOutside(first..<first + steps, of: table, gradient, beta, columns: width)
            rondo_column_sums(
                gradient + offset, upstream.pointer, samples, steps * width, beta != 0)
        }
        x.tape.addGradient(upstream, to: x)
    }
}

/// The same with positions that are not trained.
public func addPositions(_ x: Variable, table: Tensor, first: Int = 0) -> Variable {
    x.tape.record(positioned(x.value, table, first: first), from: [x]) { upstream in
        x.tape.addGradient(upstream, to: x)
    }
}

private func positioned(_ x: Tensor, _ table: Tensor, first: Int) -> Tensor {
    precondition(
        x.shape.rank == 3 && table.shape.columns == x.shape[2] && first >= 0
            && first + x.shape[1] <= table.shape.rows,
        "positions from \(first) of a table \(table.shape) for \(x.shape)")
    let y = Tensor(uninitialized: x.shape)
    rondo_add_positions(
        y.pointer, x.pointer, table.pointer + first * x.shape[2], x.shape[0], x.shape[1],
        x.shape[2])
    return y
}
