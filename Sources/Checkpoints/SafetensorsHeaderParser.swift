// The header of a safetensors file is JSON of one fixed form, so it is read by a parser of that
// form only: it sees duplicate names, which a general JSON reader hides, knows the byte at which
// something is wrong, and cannot be made to recurse.

/// One array as the header describes it.
struct SafetensorsEntry {
    let name: String
    let elementType: ElementType
    let shape: [Int]
    let begin: Int
    let end: Int
    /// Where in the file the entry's name stands, for errors.
    let byte: Int
}

struct SafetensorsHeaderParser {
    struct Failure: Error {
        let what: String
        let byte: Int
    }

    private let bytes: [UInt8]
    /// The header's place in the file, so that errors count from the file's start.
    private let base: Int
    private var position = 0

    private(set) var metadata: [String: String] = [:]
    private(set) var entries: [SafetensorsEntry] = []

    init(_ bytes: [UInt8], base: Int) throws(Failure) {
        self.bytes = bytes
        self.base = base
        var names: Set<String> = []
        try object { parser, name, byte throws(Failure) in
            guard names.insert(name).inserted else {
                throw Failure(what: "the name \"\(name)\" for the second time", byte: byte)
            }
            if name == "__metadata__" {
                try parser.object { parser, key, byte throws(Failure) in
                    let value = try parser.string()
                    guard parser.metadata.updateValue(value, forKey: key) == nil else {
                        throw Failure(what: "the name \"\(key)\" for the second time", byte: byte)
                    }
                }
            } else {
                parser.entries.append(try parser.entry(name, byte))
            }
        }
        // Writers pad with spaces to align the data.
        skipSpace()
        guard position == bytes.count else { throw failure("something after the header") }
    }

    private mutating func entry(_ name: String, _ byte: Int) throws(Failure) -> SafetensorsEntry {
        var elementType: ElementType?
        var shape: [Int]?
        var offsets: [Int]?
        try object { parser, key, byte throws(Failure) in
            switch (key, elementType, shape, offsets) {
            case ("dtype", nil, _, _):
                let text = try parser.string()
                guard let type = ElementType(rawValue: text) else {
                    throw Failure(what: "the unknown dtype \"\(text.prefix(20))\"", byte: byte)
                }
                elementType = type
            case ("shape", _, nil, _):
                shape = try parser.numbers()
            case ("data_offsets", _, _, nil):
                offsets = try parser.numbers()
            default:
                throw Failure(
                    what: "the unexpected key \"\(key.prefix(20))\" of \"\(name)\"", byte: byte)
            }
        }
        guard let elementType, let shape, let offsets, offsets.count == 2 else {
            throw Failure(what: "\"\(name)\" without dtype, shape and two data_offsets", byte: byte)
        }
        return SafetensorsEntry(
            name: name, elementType: elementType, shape: shape, begin: offsets[0], end: offsets[1],
            byte: byte)
    }

    // MARK: JSON

    private func failure(_ what: String) -> Failure { Failure(what: what, byte: base + position) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
            return false
        }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
        guard accept(character) else { throw failure("no \"\(character)\"") }
    }

    /// Calls `member` after each key; it must consume the value.
    private mutating func object(
        _ member: (inout SafetensorsHeaderParser, String, Int) throws(Failure) -> Void
    ) throws(Failure) {
        try expect("{")
        if accept("}") { return }
        repeat {
            skipSpace()
            let byte = base + position
            let key = try string()
            try expect(":")
            try member(&self, key, byte)
        } while accept(",")
        try expect("}")
    }

    /// A list of whole numbers that are not negative. 64 dimensions are more than any library has.
    private mutating func numbers() throws(Failure) -> [Int] {
        var numbers: [Int] = []
        try expect("[")
        if accept("]") { return [] }
        repeat {
            guard numbers.count < 64 else { throw failure("more than 64 numbers") }
            numbers.append(try number())
        } while accept(",")
        try expect("]")
        return numbers
    }

    private mutating func number() throws(Failure) -> Int {
        skipSpace()
        let start = position
        var number = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(bytes[position] - 0x30))
            guard !overflow, !carry else { throw failure("a number that is too large") }
            number = sum
            position += 1
        }
        guard position > start else { throw failure("no whole number") }
        return number
    }

    private mutating func string() throws(Failure) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw failure("a text without an end") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a text that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure("a control character in a text")
            default: text.append(byte)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        guard position < bytes.count else { throw failure("a text without an end") }
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xd800..<0xdc00).contains(code) {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw failure("half of a surrogate pair") }
                position += 2
                let low = try hexadecimal()
                guard (0xdc00..<0xe000).contains(low) else {
                    throw failure("half of a surrogate pair")
                }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw failure("half of a surrogate pair")
            }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw failure("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count,
                let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
            else { throw failure("no hexadecimal digit") }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
