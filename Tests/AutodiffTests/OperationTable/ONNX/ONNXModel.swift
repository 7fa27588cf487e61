import Foundation

/// A tensor of a file, its numbers as Double: exact for all types but integers beyond 2^53.
struct ONNXTensor {
    /// ONNX's numbers of element types.
    enum Element: Int {
        case float = 1, uint8, int8, uint16, int16, int32, int64, string, bool, float16, double,
            uint32, uint64
        case bfloat16 = 16

        var isFloating: Bool { [.float, .float16, .double, .bfloat16].contains(self) }
        var isSigned: Bool { [.int8, .int16, .int32, .int64].contains(self) }
        /// Width of the integer types.
        var bits: Int {
            switch self {
            case .uint8, .int8: 8
            case .uint16, .int16: 16
            case .uint32, .int32: 32
            default: 64
            }
        }
    }

    var shape: [Int]
    var element: Element
    var values: [Double]
    var name = ""

    init(_ shape: [Int], _ element: Element, _ values: [Double]) {
        self.shape = shape
        self.element = element
        self.values = values
    }

    init(_ message: ProtobufMessage) throws {
        let code = Int(try message.integers(2).last ?? 0)
        guard let element = Element(rawValue: code), element != .string else {
            throw ONNXExclusion(code == 8 ? "strings" : "element type \(code)")
        }
        self.element = element
        shape = try message.integers(1).map(Int.init)
        name = message.string(8)
        let raw = message.blocks(9).last ?? Data()
        if raw.isEmpty {
            values = try Self.listed(message, element)
        } else {
            values = Self.decoded(raw, element)
        }
        guard values.count == shape.reduce(1, *) else { throw ONNXExclusion("damaged tensor") }
    }

    private static func decoded(_ raw: Data, _ element: Element) -> [Double] {
        switch element {
        case .float: raw.numbers(UInt32.self).map { Double(Float(bitPattern: $0)) }
        case .double: raw.numbers(UInt64.self).map { Double(bitPattern: $0) }
        case .float16: raw.numbers(UInt16.self).map(half)
        case .bfloat16:
            raw.numbers(UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .uint8, .bool: raw.numbers(UInt8.self).map(Double.init)
        case .int8: raw.numbers(UInt8.self).map { Double(Int8(bitPattern: $0)) }
        case .uint16: raw.numbers(UInt16.self).map(Double.init)
        case .int16: raw.numbers(UInt16.self).map { Double(Int16(bitPattern: $0)) }
        case .uint32: raw.numbers(UInt32.self).map(Double.init)
        case .int32: raw.numbers(UInt32.self).map { Double(Int32(bitPattern: $0)) }
        case .uint64: raw.numbers(UInt64.self).map { Double($0) }
        case .int64, .string: raw.numbers(UInt64.self).map { Double(Int64(bitPattern: $0)) }
        }
    }

    private static func listed(
        _ message: ProtobufMessage, _ element: Element
    ) throws -> [Double] {
        switch element {
        case .float: return message.floats(4).map(Double.init)
        case .double: return message.doubles(10)
        case .int64: return try message.integers(7).map(Double.init)
        case .uint32, .uint64:
            return try message.integers(11).map { Double(UInt64(bitPattern: $0)) }
        case .float16: return try message.integers(5).map { half(UInt16(truncatingIfNeeded: $0)) }
        default: return try message.integers(5).map(Double.init)
        }
    }

    /// IEEE 754's half precision.
    private static func half(_ bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 1 ? -1 : 1
        let exponent = Int(bits >> 10 & 0x1F)
        let fraction = Double(bits & 0x3FF)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default:
            return sign * (1 + fraction / 1024)
                * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
    }

    /// The values as this type can hold them: integers are cut off and wrap.
    func stored(as element: Element) -> ONNXTensor {
        var result = self
        result.element = element
        if element == .bool {
            result.values = values.map { $0 != 0 ? 1 : 0 }
        } else if element == .float {
            result.values = values.map { Double(Float($0)) }
        } else if !element.isFloating, element.bits < 64 {
            let modulus = Double(sign: .plus, exponent: element.bits, significand: 1)
            result.values = values.map { value in
                guard value.isFinite else { return value }
                var wrapped = value.rounded(.towardZero).truncatingRemainder(dividingBy: modulus)
                if wrapped < 0 { wrapped += modulus }
                return element.isSigned && wrapped >= modulus / 2 ? wrapped - modulus : wrapped
            }
        } else if !element.isFloating {
            result.values = values.map { $0.rounded(.towardZero) }
        }
        return result
    }
}

/// One operation of a graph.
struct ONNXNode {
    let operation: String
    let domain: String
    let inputs: [String]
    let outputs: [String]
    private let attributes: [String: ProtobufMessage]

    init(_ message: ProtobufMessage) throws {
        inputs = message.strings(1)
        outputs = message.strings(2)
        operation = message.string(4)
        domain = message.string(7)
        attributes = Dictionary(
            try message.messages(5).map { ($0.string(1), $0) }, uniquingKeysWith: { $1 })
    }

    func has(_ name: String) -> Bool { attributes[name] != nil }

    func integer(_ name: String, _ fallback: Int) throws -> Int {
        Int(try attributes[name]?.integers(3).last ?? Int64(fallback))
    }

    func integers(_ name: String) throws -> [Int]? {
        try attributes[name]?.integers(8).map(Int.init)
    }

    func float(_ name: String, _ fallback: Float) -> Float {
        attributes[name]?.floats(2).last ?? fallback
    }

    func floats(_ name: String) -> [Float]? { attributes[name]?.floats(7) }

    func string(_ name: String, _ fallback: String) -> String {
        attributes[name]?.string(4) ?? fallback
    }

    func strings(_ name: String) -> [String]? { attributes[name]?.strings(9) }

    func tensor(_ name: String) throws -> ONNXTensor? {
        try attributes[name]?.messages(5).last.map(ONNXTensor.init)
    }
}

/// A model file: its nodes in order and the names of its inputs and outputs.
struct ONNXModel {
    let nodes: [ONNXNode]
    let constants: [ONNXTensor]
    let inputs: [String]
    let outputs: [String]

    init(_ data: Data) throws {
        let model = try ProtobufMessage(data)
        guard let graph = try model.messages(7).first else { throw ONNXExclusion("no graph") }
        nodes = try graph.messages(1).map(ONNXNode.init)
        constants = try graph.messages(5).map(ONNXTensor.init)
        for value in try graph.messages(11) + graph.messages(12) {
            guard let type = try value.messages(2).first, !type.blocks(1).isEmpty else {
                throw ONNXExclusion("sequences and optional values")
            }
        }
        inputs = try graph.messages(11).map { $0.string(1) }
        outputs = try graph.messages(12).map { $0.string(1) }
    }
}
