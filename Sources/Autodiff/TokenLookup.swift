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
