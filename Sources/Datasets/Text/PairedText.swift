// Pairs of texts, one a line: a question and its answer, a sentence and its translation. They come
// in one file with a tab between the two, or in two files whose lines belong together.

/// Lines and what they are to be turned into.
public struct PairedText: Sendable {
    /// The file's path, or the first one's; names the pairs in errors.
    public let name: String
    /// UTF-8, none empty.
    public private(set) var sources = RaggedRows<UInt8>()
    /// As many.
    public private(set) var targets = RaggedRows<UInt8>()
    /// Pairs left out because a side was empty.
    public private(set) var droppedCount = 0

    /// The number of pairs.
    public var count: Int { sources.count }

    /// Reads a file, plain or gzip, of lines "source, tab, target"; what follows another tab is not
    /// used (Tatoeba's files have their licence there).
    public init(tabSeparated path: String) throws(DataError) {
        try self.init(tabSeparated: PlainText(path: path))
    }

    /// Reads lines "source, tab, target".
    public init(tabSeparated text: PlainText) throws(DataError) {
        name = text.name
        for (index, line) in Self.lines(of: text).enumerated() {
            let fields = line.split(
                separator: 0x09, maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count >= 2 else {
                throw DataError(file: name, problem: .text(.lineWithoutTab(line: index + 1)))
            }
            add(source: fields[0], target: fields[1])
        }
        try checkNotEmpty()
    }

    /// Reads two files, plain or gzip, whose lines belong together.
    public init(sources: String, targets: String) throws(DataError) {
        try self.init(sources: PlainText(path: sources), targets: PlainText(path: targets))
    }

    /// Pairs the lines of two texts.
    public init(sources: PlainText, targets: PlainText) throws(DataError) {
        name = sources.name
        let (lines, otherLines) = (Self.lines(of: sources), Self.lines(of: targets))
        guard lines.count == otherLines.count else {
            throw DataError(
                file: name,
                problem: .text(
                    .lineCountMismatch(
                        lines: lines.count, otherLines: otherLines.count, otherFile: targets.name)))
        }
        for (source, target) in zip(lines, otherLines) { add(source: source, target: target) }
        try checkNotEmpty()
    }

    /// The columns "source" and "target" of what a format has read.
    package init(_ dataset: Dataset) throws(DataError) {
        name = dataset.name
        droppedCount = dataset.droppedCount
        sources = try Self.rows(of: dataset, "source")
        targets = try Self.rows(of: dataset, "target")
        try checkNotEmpty()
    }

    private static func rows(
        of dataset: Dataset, _ name: String
    ) throws(DataError) -> RaggedRows<UInt8> {
        let column = try dataset.column(name)
        guard case .texts(let rows) = column.values else {
            throw DataError(
                file: column.outline.file,
                problem: .wrongKind(
                    column: name, expected: "a text", got: "\(column.outline.kind)"))
        }
        return rows
    }

    /// Takes pairs made elsewhere.
    /// - Throws: `noPairs` if each has an empty side.
    public init(_ pairs: some Sequence<TextPair>, name: String) throws(DataError) {
        self.name = name
        for pair in pairs {
            add(source: Array(pair.source.utf8)[...], target: Array(pair.target.utf8)[...])
        }
        try checkNotEmpty()
    }

    /// One pair.
    public subscript(index: Int) -> TextPair {
        TextPair(
            source: String(decoding: sources[index], as: UTF8.self),
            target: String(decoding: targets[index], as: UTF8.self))
    }

    /// The first pairs and the last ones, `testShare` of all.
    /// - Throws: `emptyPart` if a part would have no pair.
    public func split(testShare: Double) throws(DataError) -> (training: Self, test: Self) {
        let border = count - Int((Double(count) * testShare).rounded())
        guard border > 0, border < count else {
            throw DataError(
                file: name, problem: .text(.emptyPart(pairs: count, testShare: testShare)))
        }
        return (part(0..<border, dropped: droppedCount), part(border..<count, dropped: 0))
    }

    private func part(_ rows: Range<Int>, dropped: Int) -> Self {
        var part = self
        part.sources = RaggedRows()
        part.targets = RaggedRows()
        part.droppedCount = dropped
        for row in rows { part.add(source: sources[row], target: targets[row]) }
        return part
    }

    private mutating func add(source: ArraySlice<UInt8>, target: ArraySlice<UInt8>) {
        guard !source.isEmpty, !target.isEmpty else {
            droppedCount += 1
            return
        }
        sources.append(source)
        targets.append(target)
    }

    private func checkNotEmpty() throws(DataError) {
        guard count > 0 else {
            throw DataError(
                file: name, problem: .text(.noPairs(dropped: droppedCount, lengthLimit: nil)))
        }
    }

    /// The lines without their ends ("\n" or "\r\n"); what follows the last end is a line if it is
    /// not empty.
    private static func lines(of text: PlainText) -> [ArraySlice<UInt8>] {
        var lines = text.bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { $0.last == 0x0d ? $0.dropLast() : $0 }
    }
}

/// One pair of texts.
public struct TextPair: Hashable, Sendable {
    /// What is given.
    public let source: String
    /// What it is to become.
    public let target: String

    /// A pair.
    public init(source: String, target: String) {
        self.source = source
        self.target = target
    }
}
