import Kernels

/// The sizes of a tensor's dimensions, outermost first; row-major.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// The sizes, outermost first.
    public let dimensions: [Int]
    /// The product of the sizes; 1 for a scalar.
    public let count: Int

    /// - Precondition: no size is negative.
    public init(_ dimensions: [Int]) {
        require(dimensions.allSatisfy { $0 >= 0 }, "negative size in shape \(dimensions)")
        self.dimensions = dimensions
        count = dimensions.reduce(1, *)
    }

    /// A shape as a literal: `[2, 3]`.
    public init(arrayLiteral dimensions: Int...) { self.init(dimensions) }

    /// The number of dimensions.
    public var rank: Int { dimensions.count }

    /// The size of one dimension.
    public subscript(_ dimension: Int) -> Int { dimensions[dimension] }

    /// The product of all sizes but the last.
    public var rows: Int { dimensions.isEmpty ? 1 : dimensions.dropLast().reduce(1, *) }
    /// The last size; 1 for a scalar.
    public var columns: Int { dimensions.last ?? 1 }

    /// For messages: `64x28x28x1`.
    public var description: String {
        dimensions.isEmpty ? "scalar" : dimensions.map(String.init).joined(separator: "x")
    }
}
