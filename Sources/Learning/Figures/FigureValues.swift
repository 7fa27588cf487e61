/// Figures with their values. As JSON they are members of the object around them.
package struct FigureValues: Sendable, Encodable {
    package let figures: [Figure]
    package let values: [Double]

    package init(_ figures: [Figure], _ values: [Double]) {
        precondition(
            figures.count == values.count, "\(values.count) values of \(figures.count) figures")
        self.figures = figures
        self.values = values
    }

    /// The value of a figure; nil if it is not among these.
    package subscript(key: String) -> Double? {
        figures.firstIndex { $0.key == key }.map { values[$0] }
    }

    /// Names and values as people read them.
    package var rows: [(name: String, value: String)] {
        zip(figures, values).map { figure, value in
            (figure.key.replacing("_", with: " "), figure.text(of: value))
        }
    }

    /// "test accuracy 92.79 %, test loss 0.2130"
    package var summary: String { rows.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (figure, value) in zip(figures, values) {
            try container.encode(value, forKey: Key(figure.key))
        }
    }
}

extension FigureValues: Equatable {
    package static func == (left: Self, right: Self) -> Bool {
        left.figures.map(\.key) == right.figures.map(\.key) && left.values == right.values
    }
}
