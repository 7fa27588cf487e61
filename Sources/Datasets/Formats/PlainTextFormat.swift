// `data.format: "text"`: one text; its first part is trained on, the rest measured.

import Configuration

/// A file in UTF-8, plain or gzip.
package struct PlainTextFormat: DataFormat {
    package static let name = "text"
    package static let keys = ["path", "validationShare"]

    private var path: String
    /// The share of the characters, at the end of the text, that is not trained on.
    private let validationShare: Double

    package init(_ data: ConfigurationReader) throws(ConfigurationError) {
        path = try data.requiredText("path", "the path of a text file")
        validationShare = try data.number("validationShare", .fraction) ?? 0.1
        guard validationShare > 0 else {
            throw data.outOfRange("validationShare", "above 0 and below 1", "0")
        }
    }

    package var resolved: [String: ConfigurationValue] {
        ["path": .string(path), "validationShare": .number(validationShare)]
    }

    package var paths: [String] {
        get { [path] }
        set { path = newValue.first ?? path }
    }

    package func columns(of split: Split) throws(DataError) -> [Column.Outline] {
        [Self.outline(path)]
    }

    package func read(_ split: Split) throws(DataError) -> Dataset {
        let (training, test) = try readBoth()
        return split == .training ? training : test
    }

    package func readBoth() throws(DataError) -> (training: Dataset, test: Dataset) {
        let parts = try PlainText(path: path).split(trainingFraction: 1 - validationShare)
        func dataset(_ part: PlainText) -> Dataset {
            Dataset(name: path, columns: [Column(Self.outline(path), .plainText(part))])
        }
        return (dataset(parts.training), dataset(parts.validation))
    }

    private static func outline(_ path: String) -> Column.Outline {
        Column.Outline(name: "text", file: path, count: 1, kind: .text)
    }
}
