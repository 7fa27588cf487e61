/// The origin of a variable whose rows are those of a table.
///
/// The products of its rows are those of the table's rows, of which there may be far fewer. A layer
/// that needs nothing but these products multiplies the table and looks them up.
final class TokenLookup {
    /// The table's row for each row of the variable.
    let tokens: [Int32]
    /// [V, D]
    let weight: Parameter
    let paddingIndex: Int?
    /// Completes the table's gradient: each addition to that also adds a scalar to this node's
    /// gradient.
    let node: Variable

    init(tokens: [Int32], weight: Parameter, paddingIndex: Int?, node: Variable) {
        self.tokens = tokens
        self.weight = weight
        self.paddingIndex = paddingIndex
        self.node = node
    }

    /// The lookup after [a, b, D] has become [b, a, D].
    func withSwappedDimensions(_ a: Int, _ b: Int) -> TokenLookup? {
        guard tokens.count == a * b else { return nil }
        let swapped = (0..<b).flatMap { column in (0..<a).map { tokens[$0 * b + column] } }
        return TokenLookup(
            tokens: swapped, weight: weight, paddingIndex: paddingIndex, node: node)
    }
}
