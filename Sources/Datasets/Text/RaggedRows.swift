// Many short rows in one piece of memory: the lines of a text, the tokens of sentences. An array of
// arrays would cost an allocation and 32 bytes of header for each.

/// Rows of differing length, one after another.
public struct RaggedRows<Element: Sendable & Equatable>: RandomAccessCollection, Equatable, Sendable
{
    private var elements: [Element] = []
    /// Where each row ends.
    private var ends: [Int] = []

    /// No rows.
    public init() {}

    /// 0, as for any array.
    public var startIndex: Int { 0 }
    /// The number of rows.
    public var endIndex: Int { ends.count }
    /// Elements of all rows together.
    public var elementCount: Int { elements.count }

    /// One row.
    public subscript(row: Int) -> ArraySlice<Element> {
        elements[(row == 0 ? 0 : ends[row - 1])..<ends[row]]
    }

    /// Elements of one row.
    public func length(ofRow row: Int) -> Int { ends[row] - (row == 0 ? 0 : ends[row - 1]) }

    /// Adds a row at the end.
    public mutating func append(_ row: some Sequence<Element>) {
        elements.append(contentsOf: row)
        ends.append(elements.count)
    }

    /// Copies a row to `destination`, which must have room for it.
    func copy(row: Int, to destination: UnsafeMutablePointer<Element>) {
        let start = row == 0 ? 0 : ends[row - 1]
        elements.withUnsafeBufferPointer { elements in
            guard let from = elements.baseAddress else { return }
            destination.update(from: from + start, count: ends[row] - start)
        }
    }
}
