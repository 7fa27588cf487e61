import CKernels
import Kernels
import Tensors

/// Rows of a table: [shape..., D] for tokens of that shape.
///
/// - Parameters:
///   - tokens: row numbers, each in 0 ..< V, in the order of `shape`.
///   - weight: [V, D].
///   - paddingIndex: a row that collects no gradient.
/// Backward adds the rows of dy to the table's gradient in the order of the tokens, so that equal
/// tokens give equal bits; before the first contribution of a step the gradient is zeroed. The
/// gradient of a sparse table has the rows of the tokens alone, added up in the same order.
/// - Precondition: every token is in the table.
public func embedding(
    _ tokens: [Int32], shape: Shape, weight: Parameter, paddingIndex: Int? = nil, tape: Tape
) -> Variable {
    require(weight.shape.rank == 2, "embedding: a table of shape \(weight.shape)")
    let vocabulary = weight.shape[0]
    let width = weight.shape[1]
    require(
        tokens.count == shape.count, "embedding: \(tokens.count) tokens for shape \(shape)")
    require(
        tokens.allSatisfy { $0 >= 0 && Int($0) < vocabulary },
        "embedding: token \(tokens.first { $0 < 0 || Int($0) >= vocabulary } ?? 0) is outside "
            + "0..<\(vocabulary)")
    let y = Tensor(uninitialized: Shape(shape.dimensions + [width]))
    rondo_gather_rows(y.pointer, width, weight.value.pointer, tokens, tokens.count, width)
    // The table's gradient is complete when this node's turn comes; each addition to it sends the
    // node a signal.
    let node = tape.record(Tensor(zeros: []), from: [], using: [weight]) { _ in }
    var rows = tape.record(y, from: [node]) { [unowned tape] upstream in
        if let rows = weight.rowGradients {
            tokens.withUnsafeBufferPointer {
                rows.add($0, upstream.pointer, excluding: paddingIndex.map { Int32($0) })
            }
        } else {
            tape.addGradient(to: weight) { gradient, beta in
                if beta == 0 { gradient.update(repeating: 0, count: weight.shape.count) }
                rondo_scatter_add_rows(
                    gradient, upstream.pointer, width, tokens, tokens.count, width,
                    Int32(paddingIndex ?? -1))
            }
        }
        tape.addGradient(Tensor(zeros: []), to: node)
    }
    // Products of a whole table would give all of its rows a gradient.
    if weight.isSparse { return rows }
    rows.lookup = TokenLookup(
        tokens: tokens, weight: weight, paddingIndex: paddingIndex, node: node)
    return rows
}
