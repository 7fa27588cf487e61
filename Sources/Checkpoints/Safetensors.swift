// Safetensors, the format in which models pass to and from PyTorch: eight bytes of little-endian
// header size, a JSON header, the elements. A file is outside input: the reader checks every number
// before it uses it and refuses what the format forbids (holes, overlaps, sizes that do not fit).

import Foundation

/// The contents of a safetensors file.
public struct SafetensorsFile: Sendable, Equatable {
    /// The header's free texts.
    public var metadata: [String: String]
    /// In the order in which they lie in the file.
    public var arrays: [NamedArray]

    /// A file's contents to be written.
    public init(arrays: [NamedArray], metadata: [String: String] = [:]) {
        self.arrays = arrays
        self.metadata = metadata
    }

    /// The array of that name.
    public func array(_ name: String) -> NamedArray? { arrays.first { $0.name == name } }
}

/// Reads safetensors.
public enum SafetensorsReader {
    /// The format's own bound on the header.
    static let headerByteCountLimit = 100_000_000
    private static let fileByteCountLimit = 64 << 30

    /// Reads the file at `path`.
    public static func read(path: String) throws(CheckpointError) -> SafetensorsFile {
        try read(FileAccess.read(path, limit: fileByteCountLimit), name: path)
    }

    /// Reads a file's bytes; `name` stands for the path in errors.
    public static func read(_ bytes: Data, name: String) throws(CheckpointError) -> SafetensorsFile
    {
        func malformed(_ what: String, _ byte: Int) -> CheckpointError {
            CheckpointError(path: name, problem: .malformed(what: what, byte: byte))
        }
        guard bytes.count >= 8 else { throw malformed("the end of the file", bytes.count) }
        let start = bytes.startIndex
        let size = bytes[start..<(start + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard size <= UInt64(headerByteCountLimit) else {
            throw malformed("a header of \(size) bytes (at most \(headerByteCountLimit))", 0)
        }
        let headerByteCount = Int(size)
        guard headerByteCount <= bytes.count - 8 else {
            throw malformed(
                "the end of the file in a header of \(headerByteCount) bytes", bytes.count)
        }
        let dataStart = 8 + headerByteCount
        let header: SafetensorsHeaderParser
        do {
            header = try SafetensorsHeaderParser(
                Array(bytes[(start + 8)..<(start + dataStart)]), base: 8)
        } catch {
            throw malformed(error.what, error.byte)
        }
        let entries = header.entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var expectedBegin = 0
        var arrays: [NamedArray] = []
        arrays.reserveCapacity(entries.count)
        for entry in entries {
            guard entry.begin == expectedBegin else {
                let what = entry.begin < expectedBegin ? "overlapping data" : "a hole in the data"
                throw malformed("\(what) before \"\(entry.name)\"", entry.byte)
            }
            guard let byteCount = byteCount(of: entry.shape, entry.elementType) else {
                throw malformed("a shape of \"\(entry.name)\" that is too large", entry.byte)
            }
            guard entry.end - entry.begin == byteCount else {
                throw malformed(
                    "\"\(entry.name)\" with \(entry.end - entry.begin) bytes for \(byteCount)",
                    entry.byte)
            }
            guard entry.end <= bytes.count - dataStart else {
                throw malformed("the end of the file in \"\(entry.name)\"", bytes.count)
            }
            expectedBegin = entry.end
            let range = (start + dataStart + entry.begin)..<(start + dataStart + entry.end)
            arrays.append(
                NamedArray(
                    name: entry.name, shape: entry.shape, elementType: entry.elementType,
                    bytes: bytes.subdata(in: range)))
        }
        guard dataStart + expectedBegin == bytes.count else {
            throw malformed("bytes that belong to no array", dataStart + expectedBegin)
        }
        return SafetensorsFile(arrays: arrays, metadata: header.metadata)
    }

    /// Bytes of an array, or nil if they overflow or an extent is negative.
    static func byteCount(of shape: [Int], _ elementType: ElementType) -> Int? {
        var count = elementType.byteCount
        // Taken over all extents that are not 0, so that [2^62, 2^62, 0] overflows as well.
        for extent in shape where extent != 0 {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow, extent > 0 else { return nil }
            count = product
        }
        return shape.contains(0) ? 0 : count
    }
}

/// Writes safetensors.
public enum SafetensorsWriter {
    /// The bytes of a file. Equal contents give equal bytes, in whatever order the arrays come:
    /// they are laid out by element size, largest first (so each is aligned), then by name.
    /// - Parameter path: names the file in errors.
    /// - Throws: `invalidArray` for a shape that does not fit the bytes or a name used twice.
    public static func bytes(
        of file: SafetensorsFile, path: String = "model.safetensors"
    ) throws(CheckpointError) -> Data {
        let arrays = file.arrays.sorted { left, right in
            let (leftSize, rightSize) = (left.elementType.byteCount, right.elementType.byteCount)
            return leftSize != rightSize
                ? leftSize > rightSize : ModelDigest.precedes(left.name, right.name)
        }
        var names: Set<String> = ["__metadata__"]
        var header = "{"
        if !file.metadata.isEmpty {
            let members = file.metadata
                .sorted { ModelDigest.precedes($0.key, $1.key) }
                .map { "\(quoted($0.key)):\(quoted($0.value))" }
            header += "\"__metadata__\":{\(members.joined(separator: ","))}"
        }
        var offset = 0
        for array in arrays {
            func invalid(_ reason: String) -> CheckpointError {
                CheckpointError(
                    path: path, problem: .invalidArray(name: array.name, reason: reason))
            }
            guard names.insert(array.name).inserted else { throw invalid("the name is taken") }
            let expected = SafetensorsReader.byteCount(of: array.shape, array.elementType)
            guard expected == array.bytes.count else {
                throw invalid("\(array.bytes.count) bytes for the shape \(array.shape)")
            }
            let end = offset + array.bytes.count
            header += header == "{" ? "" : ","
            header += "\(quoted(array.name)):{\"dtype\":\"\(array.elementType.rawValue)\","
            header += "\"shape\":[\(array.shape.map(String.init).joined(separator: ","))],"
            header += "\"data_offsets\":[\(offset),\(end)]}"
            offset = end
        }
        header += "}"
        // Padding aligns the data to the largest element.
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        guard header.utf8.count <= SafetensorsReader.headerByteCountLimit else {
            throw CheckpointError(
                path: path,
                problem: .malformed(what: "a header of \(header.utf8.count) bytes", byte: 0))
        }
        var bytes = Data(capacity: 8 + header.utf8.count + offset)
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: header.utf8)
        for array in arrays { bytes.append(array.bytes) }
        return bytes
    }

    private static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }
}
