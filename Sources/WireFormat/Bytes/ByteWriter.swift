// Little-endian integers into memory that the caller owns. No allocation: frame headers are written
// once per segment on the data path.

/// Writes fixed-width integers one after another into a caller's buffer.
///
/// The buffer's size is known where a structure is encoded, so running over its end is a bug and
/// traps.
package struct ByteWriter {
    private let destination: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    package private(set) var count = 0

    package init(_ destination: UnsafeMutableRawBufferPointer) {
        self.destination = destination
    }

    /// Everything written so far.
    package var written: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: destination[..<count])
    }

    @inline(__always)
    package mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        precondition(
            count + MemoryLayout<Value>.size <= destination.count,
            "\(MemoryLayout<Value>.size) bytes at \(count) of \(destination.count)")
        destination.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    package mutating func write(bytes: some Collection<UInt8>) {
        precondition(
            count + bytes.count <= destination.count,
            "\(bytes.count) bytes at \(count) of \(destination.count)")
        for byte in bytes {
            destination[count] = byte
            count += 1
        }
    }
}
