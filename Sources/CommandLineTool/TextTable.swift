// Columns of text for a terminal: numbers are aligned to the right, text to the left.

enum TextTable {
    /// The lines of a table. A column is aligned to the right if all its cells below the head begin
    /// with a digit.
    static func lines(head: [String], rows: [[String]]) -> [String] {
        let isNumeric = head.indices.map { column in
            !rows.isEmpty && rows.allSatisfy { $0[column].first?.isNumber ?? false }
        }
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([head] + rows).map { cells in
            var line = ""
            for (column, cell) in cells.enumerated() {
                if column > 0 { line += "  " }
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += isNumeric[column] ? space + cell : cell + space
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
