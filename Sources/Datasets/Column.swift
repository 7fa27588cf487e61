// A data set is a few named columns of one length, each of one kind: an image and its class, a text
// and its translation. Formats make columns out of files, tasks ask for the kinds they need.

/// One column of a data set: as many values as there are samples.
package struct Column: Sendable {
    /// What a value is.
    package enum Kind: Equatable, Sendable {
        /// Bytes [height, width, channels], 0 to 255.
        case image(height: Int, width: Int, channels: Int)
        /// A whole number from 0 up that stands for a class.
        case label
        /// A piece of UTF-8.
        case text
    }

    /// What is known of a column before its values are read.
    package struct Outline: Equatable, Sendable {
        package let name: String
        /// The file that it comes from; names the column in errors.
        package let file: String
        /// The number of samples; nil where only reading tells.
        package let count: Int?
        package let kind: Kind
        /// The labels of a column of labels. They are small, so they are read with the headers, and
        /// a wrong one is found before any worker starts.
        package let labels: [Int32]

        package init(
            name: String, file: String, count: Int?, kind: Kind, labels: [Int32] = []
        ) {
            self.name = name
            self.file = file
            self.count = count
            self.kind = kind
            self.labels = labels
        }
    }

    /// The values of a column, in the order of the samples.
    package enum Values: Sendable {
        /// [count, height, width, channels]
        case images([UInt8])
        case labels([Int32])
        /// One row a sample.
        case texts(RaggedRows<UInt8>)
        /// A single long text that tasks cut up themselves.
        case plainText(PlainText)
    }

    package let outline: Outline
    package let values: Values

    package init(_ outline: Outline, _ values: Values) {
        self.outline = outline
        self.values = values
    }
}

extension Column.Kind: CustomStringConvertible {
    /// "an image", as messages name it.
    package var description: String {
        switch self {
        case .image: "an image"
        case .label: "a class"
        case .text: "a text"
        }
    }
}
