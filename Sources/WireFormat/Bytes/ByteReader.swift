// The counterpart of ByteWriter for bytes that another process wrote: every read is checked, and a
// structure that ends too early is an error that names it.

/// Reads fixed-width little-endian integers one after another.
package struct ByteReader {
    private let source: UnsafeRawBufferPointer
    private let structure: String
    /// Bytes read so far.
    package private(set) var offset = 0

    /// - Parameter structure: what is being read, for the error.
    package init(_ source: UnsafeRawBufferPointer, structure: String) {
        self.source = source
        self.structure = structure
    }

    @inline(__always)
    package mutating func read<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(WireFormatError) -> Value {
        let end = offset + MemoryLayout<Value>.size
        guard end <= source.count else {
            throw .truncated(structure: structure, needed: end, available: source.count)
        }
        defer { offset = end }
        return Value(littleEndian: source.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    package mutating func readBytes(_ count: Int) throws(WireFormatError) -> [UInt8] {
        guard count >= 0, count <= source.count - offset else {
            throw .truncated(
                structure: structure, needed: offset + count, available: source.count)
        }
        defer { offset += count }
        return [UInt8](source[offset..<offset + count])
    }
}
