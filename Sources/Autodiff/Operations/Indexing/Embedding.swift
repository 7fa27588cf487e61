import CKernels
import Tensors

/// Rows of a table: [shape..., D] for tokens of that shape.
///
/// - Parameters:
///   - tokens: row numbers, each in 0 ..< V, in the order of `shape`.
///   - weight: [V, D].
///   - paddingIndex: a row that collects no gradient.
/// Backward adds the rows of dy to the table's gradient in the order of the tokens, so that equal tokens give
/// equal bits; the first contribution of a step zeroes the gradient before.
/// - Precondition: every token is in the table.
public func embedding(
    _ tokens: [Int32], shape: Shape, weight: Parameter, paddingIndex: Int? = nil, tape: Tape
) -> Variable {
    let vocabulary = weight.shape[0]
    let width = weight.shape[1]
    precondition(
        tokens.count == shape.count, "embedding: \(tokens.count) tokens for shape \(shape)")
    precondition(
        tokens.allSatisfy { $0 >= 0 && Int($0) < vocabulary },
        "embedding: a token is outside 0..<\(vocabulary)")
    let y = Tensor(uninitialized: Shape(shape.dimensions + [width]))
    rondo_gather_rows(y.pointer, width, weight.value.pointer, tokens, tokens.count, width)
    // The table's gradient is complete when this node's turn comes; who adds to it wakes the node.
    let node = tape.record(Tensor(zeros: []), from: [], using: [weight]) { _ in }
    var rows = tape.record(y, from: [node]) { [unowned tape] upstream in
        tape.addGradient(to: weight) { gradient, beta in
            if beta == 0 { gradient.update(repeating: 0, count: weight.shape.count) }
            rondo_scatter_add_rows(
                gradient, upstream.pointer, width, tokens, tokens.count, width,
                Int32(paddingIndex ?? -1))
        }
        tape.addGradient(Tensor(zeros: []), to: node)
    }
    rows.lookup = TokenLookup(
        tokens: tokens, weight: weight, paddingIndex: paddingIndex, node: node)
    return rows
}

/// What a variable remembers whose rows are those of a table.
///
/// A product of all its rows is then one of the table's rows, of which there may be far fewer: a layer that
/// asks for nothing else of its input multiplies the table and looks the products up.
final class TokenLookup {
    /// By row of the variable.
    let tokens: [Int32]
    /// [V, D]
    let weight: Parameter
    let paddingIndex: Int?
    /// Who adds to the table's gradient adds a scalar to this node's.
    let node: Variable

    init(tokens: [Int32], weight: Parameter, paddingIndex: Int?, node: Variable) {
        self.tokens = tokens
        self.weight = weight
        self.paddingIndex = paddingIndex
        self.node = node
    }

    /// The same of [b, a, D], which was [a, b, D].
    func withSwappedDimensions(_ a: Int, _ b: Int) -> TokenLookup? {
        guard tokens.count == a * b else { return nil }
        let swapped = (0..<b).flatMap { column in (0..<a).map { tokens[$0 * b + column] } }
        return TokenLookup(
            tokens: swapped, weight: weight, paddingIndex: paddingIndex, node: node)
    }
}
