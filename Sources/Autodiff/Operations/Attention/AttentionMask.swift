import Tensors

/// Which keys a query does not see.
public struct AttentionMask: Sendable {
    /// Query i of Tq sees keys up to i + Tk - Tq: the last query sees all of them.
    public var isCausal: Bool
    /// Keys of each sample; the rest is padding. nil: all.
    public var keyLengths: [Int32]?
    /// Added to the scaled scores, [1 or N, 1 or heads, Tq, Tk]; -infinity hides a key. Not
    /// differentiated.
    public var bias: Tensor?

    /// A mask that by default hides nothing.
    public init(isCausal: Bool = false, keyLengths: [Int32]? = nil, bias: Tensor? = nil) {
        self.isCausal = isCausal
        self.keyLengths = keyLengths
        self.bias = bias
    }

    /// Every key is seen.
    public static let none = AttentionMask()
    /// No key after the query.
    public static let causal = AttentionMask(isCausal: true)
}

/// Receives the probabilities of an attention, for inspection.
public final class AttentionMap {
    /// [N, heads, Tq, Tk], before dropout; nil until an attention has filled it.
    public internal(set) var probabilities: Tensor?
    /// An empty map.
    public init() {}
}
