import Autodiff
import Tensors

/// A table of vectors, one per token.
public struct Embedding: Module {
    /// [tokens, features], normal with deviation 1 at first, as in PyTorch; the row of the padding
    /// zero.
    public let weight: Parameter
    private let paddingIndex: Int?

    /// The vector of `paddingIndex` starts as zeros and is not trained.
    ///
    /// - Parameter isSparse: whether a step sends and updates the vectors of its tokens alone; see
    ///   `Parameter.isSparse`.
    public init(
        _ tokens: Int, _ features: Int, paddingIndex: Int? = nil, isSparse: Bool = false,
        stream: inout InitializationStream
    ) {
        precondition(
            paddingIndex.map { (0..<tokens).contains($0) } ?? true,
            "padding \(paddingIndex ?? 0) of \(tokens) tokens")
        let table = stream.normal([tokens, features], deviation: 1)
        if let paddingIndex {
            (table.pointer + paddingIndex * features).update(repeating: 0, count: features)
        }
        weight = Parameter(table)
        weight.isSparse = isSparse
        self.paddingIndex = paddingIndex
    }

    /// The vectors of tokens of that shape: [shape..., features].
    public func callAsFunction(_ tokens: [Int32], shape: Shape, tape: Tape) -> Variable {
        embedding(tokens, shape: shape, weight: weight, paddingIndex: paddingIndex, tape: tape)
    }
}
