import Foundation

/// What a suite compared with PyTorch: by kind (a layer, a loss, an optimizer) the number of cases,
/// the largest error and the largest share of the tolerance. All suites print this one form.
package struct ComparisonTable {
    private struct Row {
        var cases = 0
        var error = 0.0
        var share = 0.0
    }

    private let title: String
    private var rows: [String: Row] = [:]

    package init(_ title: String) { self.title = title }

    /// The kinds that occur.
    package var kinds: Set<String> { Set(rows.keys) }

    /// Adds a case.
    /// - Parameters:
    ///   - error: the largest of its numbers.
    ///   - share: the largest too; the case agrees if it is at most 1.
    package mutating func add(_ kind: String, error: Double, share: Double) {
        var row = rows[kind] ?? Row()
        row.cases += 1
        row.error = max(row.error, error)
        row.share = max(row.share, share)
        rows[kind] = row
    }

    /// Prints all rows in one piece, by the names of the kinds.
    package func print() {
        let header = "kind"
        let width = max(header.count, rows.keys.map(\.count).max() ?? 0)
        func line(_ kind: String, _ cases: String, _ error: String, _ share: String) -> String {
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            return "  " + kind.padding(toLength: width, withPad: " ", startingAt: 0)
                + right(cases, 7) + right(error, 15) + right(share, 24)
        }
        var lines = [
            title, line(header, "cases", "largest error", "share of the tolerance"),
        ]
        for (kind, row) in rows.sorted(by: { $0.key < $1.key }) {
            lines.append(
                line(
                    kind, "\(row.cases)", String(format: "%.1e", row.error),
                    String(format: "%.3f", row.share)))
        }
        Swift.print(lines.joined(separator: "\n"))
    }
}
