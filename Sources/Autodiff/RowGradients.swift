import CKernels
import Kernels

/// The gradient of a table of which a step touches few rows: those rows alone.
///
/// Contributions to one row are added up in the order in which they come, so equal contributions in
/// equal order give equal bits. Memory and time follow the rows that are touched, not the table.
public final class RowGradients {
    /// Rows of the table; no more than Int32 counts.
    public let rowCount: Int
    /// Elements of a row.
    public let width: Int
    /// The touched rows, each once, in the order of their first contribution.
    public private(set) var rows: [Int32] = []
    /// The gradients of `rows`, one row after another.
    public private(set) var values: [Float] = []
    /// Where a row stands in `rows`.
    private var places: [Int32: Int] = [:]

    /// No row of a table is touched.
    package init(rowCount: Int, width: Int) {
        require(
            rowCount <= Int(Int32.max), "a table of \(rowCount) rows, numbered by 32 bits")
        self.rowCount = rowCount
        self.width = width
    }

    /// Begins afresh; the memory is kept for the next step.
    package func removeAll() {
        rows.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    /// Adds a gradient to each of these rows, which may repeat.
    ///
    /// - Parameters:
    ///   - gradients: `width` numbers for each of the rows.
    ///   - excluded: a row whose gradients are left out.
    /// - Precondition: all rows are in the table.
    package func add(
        _ added: UnsafeBufferPointer<Int32>, _ gradients: UnsafePointer<Float>,
        excluding excluded: Int32? = nil
    ) {
        for (position, row) in added.enumerated() where row != excluded {
            let gradient = gradients + position * width
            if let place = places[row] {
                values.withUnsafeMutableBufferPointer { values in
                    guard let start = values.baseAddress else { return }
                    rondo_add(start + place * width, gradient, width)
                }
            } else {
                places[row] = rows.count
                rows.append(row)
                values.append(contentsOf: UnsafeBufferPointer(start: gradient, count: width))
            }
        }
    }

    /// Adds the rows of another gradient of the same table.
    package func add(_ other: RowGradients) {
        other.rows.withUnsafeBufferPointer { rows in
            other.values.withUnsafeBufferPointer { values in
                guard let start = values.baseAddress else { return }
                add(rows, start)
            }
        }
    }

    /// Gives `body` each touched row, in ascending order, with its gradient, which it may change.
    public func forEachAscending(
        _ body: (_ row: Int, _ gradient: UnsafeMutablePointer<Float>) -> Void
    ) {
        let order = rows.indices.sorted { rows[$0] < rows[$1] }
        values.withUnsafeMutableBufferPointer { values in
            guard let start = values.baseAddress else { return }
            for place in order { body(Int(rows[place]), start + place * width) }
        }
    }
}
