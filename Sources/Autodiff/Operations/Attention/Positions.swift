import CKernels
import Kernels
import Tensors

/// x + table[first ..< first + T], the same for every sample. x: [N, T, C]; table: [positions, C].
public func addPositions(_ x: Variable, table: Parameter, first: Int = 0) -> Variable {
    let y = positioned(x.value, table.value, first: first)
    let samples = x.shape[0]
    let steps = x.shape[1]
    let width = x.shape[2]
    let offset = first * width
    return x.tape.record(y, from: [x], using: [table]) { upstream in
        x.tape.addGradient(to: table) { gradient, beta in
            zeroOutside(first..<first + steps, of: table, gradient, beta, columns: width)
            rondo_column_sums(
                gradient + offset, upstream.pointer, samples, steps * width, beta != 0)
        }
        x.tape.addGradient(upstream, to: x)
    }
}

/// Adds positions that are not trained.
public func addPositions(_ x: Variable, table: Tensor, first: Int = 0) -> Variable {
    x.tape.record(positioned(x.value, table, first: first), from: [x]) { upstream in
        x.tape.addGradient(upstream, to: x)
    }
}

private func positioned(_ x: Tensor, _ table: Tensor, first: Int) -> Tensor {
    require(
        x.shape.rank == 3 && table.shape.columns == x.shape[2] && first >= 0
            && first + x.shape[1] <= table.shape.rows,
        "positions from \(first) of a table \(table.shape) for \(x.shape)")
    let y = Tensor(uninitialized: x.shape)
    rondo_add_positions(
        y.pointer, x.pointer, table.pointer + first * x.shape[2], x.shape[0], x.shape[1],
        x.shape[2])
    return y
}
