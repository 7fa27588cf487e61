// What a format has read.

/// The samples of one split: named columns of one length.
package struct Dataset: Sendable {
    /// Names the data in errors: a file's path, or what made them.
    package let name: String
    package let columns: [Column]
    /// Samples that the format left out, because a part of them was empty.
    package let droppedCount: Int

    package init(name: String, columns: [Column], droppedCount: Int = 0) {
        self.name = name
        self.columns = columns
        self.droppedCount = droppedCount
    }

    /// The column of a name.
    /// - Throws: `noColumn` when the format gave none of that name.
    package func column(_ name: String) throws(DataError) -> Column {
        guard let column = columns.first(where: { $0.outline.name == name }) else {
            throw DataError(
                file: self.name,
                problem: .noColumn(name: name, known: columns.map(\.outline.name)))
        }
        return column
    }
}

extension [Column.Outline] {
    /// The outline of a name.
    /// - Throws: `noColumn` naming `file` when there is none.
    package func outline(_ name: String, of file: String) throws(DataError) -> Column.Outline {
        guard let outline = first(where: { $0.name == name }) else {
            throw DataError(file: file, problem: .noColumn(name: name, known: map(\.name)))
        }
        return outline
    }
}
