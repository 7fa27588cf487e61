// A text in memory: bytes that are known to be UTF-8. Whatever reads further may rely on it.

/// Text in UTF-8. A character is a Unicode code point, as in Python.
public struct PlainText: Sendable {
    /// The file's path; names the text in errors.
    public let name: String
    /// Valid UTF-8, not empty.
    public let bytes: [UInt8]
    /// Code points.
    public let characterCount: Int

    /// The most bytes a text may have unless told otherwise: they are held in memory.
    public static let byteCountLimit = 1 << 30

    /// Reads a file, plain or gzip. A byte order mark at its start is dropped.
    public init(path: String, byteCountLimit: Int = Self.byteCountLimit) throws(DataError) {
        let bytes = try Self.read(path, limit: byteCountLimit)
        try self.init(bytes: bytes, name: path, byteCountLimit: byteCountLimit)
    }

    /// Takes the bytes of a file; `name` stands for the path in errors.
    public init(
        bytes: [UInt8], name: String, byteCountLimit: Int = Self.byteCountLimit
    ) throws(DataError) {
        guard bytes.count <= byteCountLimit else {
            throw DataError(file: name, problem: .text(.tooLarge(limit: byteCountLimit)))
        }
        if let offset = bytes.withUnsafeBufferPointer({ UTF8Check.firstInvalidOffset($0) }) {
            throw DataError(
                file: name, problem: .text(.invalidUTF8(offset: offset, byte: bytes[offset])))
        }
        let text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
        guard !text.isEmpty else { throw DataError(file: name, problem: .text(.empty)) }
        self.init(valid: text, name: name)
    }

    /// The column "text" of what a format has read.
    package init(_ dataset: Dataset) throws(DataError) {
        let column = try dataset.column("text")
        guard case .plainText(let text) = column.values else {
            throw DataError(
                file: column.outline.file,
                problem: .wrongKind(
                    column: "text", expected: "a text", got: "\(column.outline.kind)"))
        }
        self = text
    }

    /// A text and what follows it.
    package init(joining first: PlainText, _ rest: PlainText, name: String) {
        self.init(valid: first.bytes + rest.bytes, name: name)
    }

    private init(valid bytes: [UInt8], name: String) {
        self.name = name
        self.bytes = bytes
        characterCount = bytes.reduce(0) { $0 + ($1 & 0xc0 == 0x80 ? 0 : 1) }
    }

    /// Cuts after the first floor(characters x fraction) characters, as nanoGPT does with 0.9.
    public func split(
        trainingFraction: Double
    ) throws(DataError) -> (training: PlainText, validation: PlainText) {
        let wanted = Double(characterCount) * trainingFraction
        guard wanted >= 1, wanted < Double(characterCount) else {
            throw DataError(
                file: name,
                problem: .text(
                    .emptySplit(characters: characterCount, trainingFraction: trainingFraction)))
        }
        var left = Int(wanted)
        var cut = 0
        while left > 0 {
            cut += max(1, UTF8Check.expectedLength(first: bytes[cut]))
            left -= 1
        }
        return (
            PlainText(valid: Array(bytes[..<cut]), name: "\(name) (training part)"),
            PlainText(valid: Array(bytes[cut...]), name: "\(name) (validation part)")
        )
    }

    private static func read(_ path: String, limit: Int) throws(DataError) -> [UInt8] {
        let source: ByteSource
        do {
            source = try ByteSource(path: path)
        } catch  where error.problem == .missing {
            throw DataError(file: path, problem: .text(.missing))
        }
        let stream = try UnpackedStream(source)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(min(source.byteCount, UInt64(limit))))
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { piece.deallocate() }
        while true {
            let count = try stream.read(into: piece)
            bytes.append(contentsOf: piece.prefix(count))
            guard bytes.count <= limit else {
                throw DataError(file: path, problem: .text(.tooLarge(limit: limit)))
            }
            if count < piece.count { return bytes }
        }
    }
}
