import CKernels
import Kernels
import Tensors

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
    require(
        weight.shape.rank == 2 && weight.shape[1] == inputs && outputs.lowerBound >= 0
            && outputs.upperBound <= weight.shape[0],
        "linear: rows \(outputs) of \(weight.shape), x \(x.shape)")
    let count = outputs.count
    let biasRows = firstBias..<firstBias + count
    require(
        bias.map { biasRows.upperBound <= $0.shape.count } ?? true,
        "linear: elements \(biasRows) of bias \(shapeText(bias))")
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

/// Zeroes a parameter's gradient outside of the rows that the first contribution of a step writes.
func zeroOutside(
    _ rows: Range<Int>, of parameter: Parameter, _ gradient: UnsafeMutablePointer<Float>,
    _ beta: Float, columns: Int
) {
    guard beta == 0 else { return }
    gradient.update(repeating: 0, count: rows.lowerBound * columns)
    let end = rows.upperBound * columns
    (gradient + end).update(repeating: 0, count: parameter.shape.count - end)
}
