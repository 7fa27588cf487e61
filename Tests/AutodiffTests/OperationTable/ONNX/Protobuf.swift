import Foundation

// The wire format of protocol buffers, as much of it as ONNX files need: a message is a list of
// numbered fields, each a varint, four or eight bytes, or a block of bytes.

/// A file or case that cannot be used, and why.
struct ONNXExclusion: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// The fields of one message, in the order of the file.
struct ProtobufMessage {
    enum Value {
        case integer(UInt64)
        case bytes(Data)
    }

    private(set) var fields: [(number: Int, value: Value)] = []

    init(_ data: Data) throws {
        var reader = Reader(data)
        while !reader.isAtEnd {
            let key = try reader.varint()
            let number = Int(key >> 3)
            switch key & 7 {
            case 0: fields.append((number, .integer(try reader.varint())))
            case 1: fields.append((number, .bytes(try reader.bytes(8))))
            case 2:
                let length = Int(clamping: try reader.varint())
                fields.append((number, .bytes(try reader.bytes(length))))
            case 5: fields.append((number, .bytes(try reader.bytes(4))))
            default: throw ONNXExclusion("protobuf wire type \(key & 7)")
            }
        }
    }

    /// All blocks of bytes with this number.
    func blocks(_ number: Int) -> [Data] {
        fields.compactMap {
            if case .bytes(let data) = $0.value, $0.number == number { data } else { nil }
        }
    }

    func messages(_ number: Int) throws -> [ProtobufMessage] {
        try blocks(number).map(ProtobufMessage.init)
    }

    func string(_ number: Int) -> String {
        String(decoding: blocks(number).last ?? Data(), as: UTF8.self)
    }

    func strings(_ number: Int) -> [String] {
        blocks(number).map { String(decoding: $0, as: UTF8.self) }
    }

    /// All integers with this number, packed or not.
    func integers(_ number: Int) throws -> [Int64] {
        try fields.filter { $0.number == number }.flatMap { field -> [Int64] in
            switch field.value {
            case .integer(let value): return [Int64(bitPattern: value)]
            case .bytes(let data):
                var reader = Reader(data)
                var values: [Int64] = []
                while !reader.isAtEnd { values.append(Int64(bitPattern: try reader.varint())) }
                return values
            }
        }
    }

    /// All floats with this number, packed or not.
    func floats(_ number: Int) -> [Float] {
        blocks(number).flatMap { $0.numbers(UInt32.self).map(Float.init(bitPattern:)) }
    }

    func doubles(_ number: Int) -> [Double] {
        blocks(number).flatMap { $0.numbers(UInt64.self).map(Double.init(bitPattern:)) }
    }

    private struct Reader {
        private let data: Data
        private var position: Data.Index

        init(_ data: Data) {
            self.data = data
            position = data.startIndex
        }

        var isAtEnd: Bool { position >= data.endIndex }

        mutating func varint() throws -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: 0, to: 64, by: 7) {
                guard position < data.endIndex else { throw ONNXExclusion("truncated protobuf") }
                let byte = data[position]
                position += 1
                value |= UInt64(byte & 0x7F) << UInt64(shift)
                if byte < 0x80 { return value }
            }
            throw ONNXExclusion("varint of more than ten bytes")
        }

        mutating func bytes(_ count: Int) throws -> Data {
            guard count >= 0, count <= data.endIndex - position else {
                throw ONNXExclusion("truncated protobuf")
            }
            defer { position += count }
            return data[position..<position + count]
        }
    }
}

extension Data {
    /// The little-endian numbers that the bytes hold.
    func numbers<Number: FixedWidthInteger>(_: Number.Type) -> [Number] {
        let size = MemoryLayout<Number>.size
        let bytes = Array(self)
        return (0..<bytes.count / size).map { index in
            (0..<size).reduce(Number(0)) {
                $0 | Number(truncatingIfNeeded: UInt64(bytes[index * size + $1]) << UInt64(8 * $1))
            }
        }
    }
}
