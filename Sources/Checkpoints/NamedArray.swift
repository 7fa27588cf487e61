// An array as it rests in a file: a name, a shape, an element type and little-endian bytes.

import Foundation

/// The element types of safetensors.
public enum ElementType: String, CaseIterable, Sendable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8e5m2 = "F8_E5M2"
    case float8e4m3 = "F8_E4M3"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .bool, .uint8, .int8, .float8e5m2, .float8e4m3: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .float64, .int64, .uint64: 8
        }
    }
}

/// A named array of little-endian elements in row-major order.
public struct NamedArray: Sendable, Equatable {
    /// PyTorch's `state_dict` name.
    public let name: String
    /// Extents; empty for a single number.
    public let shape: [Int]
    /// The type of all elements.
    public let elementType: ElementType
    /// The elements.
    public let bytes: Data

    /// An array of given bytes; whether they fit the shape is checked when it is written.
    public init(name: String, shape: [Int], elementType: ElementType, bytes: Data) {
        self.name = name
        self.shape = shape
        self.elementType = elementType
        self.bytes = bytes
    }

    /// A copy of `floats`.
    public init(name: String, shape: [Int], floats: UnsafeBufferPointer<Float>) {
        // Little-endian like every machine Swift runs Linux on.
        self.init(
            name: name, shape: shape, elementType: .float32,
            bytes: Data(UnsafeRawBufferPointer(floats)))
    }

    /// A single 64-bit number, as PyTorch stores counters.
    public init(name: String, integer: Int64) {
        self.init(
            name: name, shape: [], elementType: .int64,
            bytes: withUnsafeBytes(of: integer.littleEndian) { Data($0) })
    }

    /// The product of the extents.
    public var elementCount: Int { shape.reduce(1, *) }

    /// Copies the elements to `destination`; false if they are not float32 or not as many.
    public func copyFloats(to destination: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard elementType == .float32, bytes.count == destination.count * 4 else { return false }
        UnsafeMutableRawBufferPointer(destination).copyBytes(from: bytes)
        return true
    }

    /// The elements; nil if they are not float32.
    public var floats: [Float]? {
        var floats = [Float](repeating: 0, count: bytes.count / 4)
        return floats.withUnsafeMutableBufferPointer { copyFloats(to: $0) } ? floats : nil
    }

    /// The only element of an int64 array of one; else nil.
    public var integer: Int64? {
        guard elementType == .int64, bytes.count == 8 else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
    }
}
