// The header of NumPy's .npy: a Python dictionary written out, with the keys 'descr',
// 'fortran_order' and 'shape'.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

/// What an array's elements are and how they lie.
struct NumPyHeader {
    /// The elements' type and byte order in NumPy's short form, such as "<i8".
    let type: String
    /// The first index changes fastest, not the last one.
    let isFortranOrder: Bool
    let shape: [UInt64]

    /// More dimensions than an array can have.
    fileprivate static let dimensionLimit = 64

    /// - Returns: nil for bytes that are no such dictionary.
    init?(_ bytes: [UInt8]) {
        var reader = LiteralReader(bytes)
        guard let members = reader.dictionary(), case .text(let type) = members["descr"],
            case .truth(let isFortranOrder) = members["fortran_order"],
            case .numbers(let shape) = members["shape"], members.count == 3
        else { return nil }
        self.type = type
        self.isFortranOrder = isFortranOrder
        self.shape = shape
    }

    /// "(60000, 28, 28)", as Python writes it.
    var shapeText: String {
        let extents = shape.map(String.init)
        return extents.count == 1 ? "(\(extents[0]),)" : "(\(extents.joined(separator: ", ")))"
    }

    /// "float64", as NumPy calls the type; other than numbers in its short form.
    var typeName: String {
        let kinds: [Character: String] = ["i": "int", "u": "uint", "f": "float", "c": "complex"]
        if type.hasSuffix("b1") { return "bool" }
        guard type.count <= 4, let size = Int(type.dropFirst(2)), size > 0,
            let kind = kinds[type.dropFirst().first ?? " "]
        else { return String(String(reflecting: type).prefix(40)) }
        return "\(kind)\(8 * size)"
    }

    /// The elements are 0 to 255, one byte each.
    var isOfBytes: Bool { ["|u1", "<u1", ">u1"].contains(type) }

    /// The elements are Python's objects; the file has a pickle of them: a program, not numbers.
    var isOfObjects: Bool { type.hasSuffix("O") }
}

/// Reads the few Python literals that headers consist of.
private struct LiteralReader {
    enum Literal {
        case text(String)
        case truth(Bool)
        case numbers([UInt64])
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// The dictionary that all of the bytes are.
    mutating func dictionary() -> [String: Literal]? {
        guard take("{") else { return nil }
        var members: [String: Literal] = [:]
        while !take("}") {
            guard let key = text(), take(":"), let value = value() else { return nil }
            members[key] = value
            if take(",") { continue }
            guard take("}") else { return nil }
            break
        }
        skipSpace()
        return rest.isEmpty ? members : nil
    }

    private mutating func value() -> Literal? {
        if take("True") { return .truth(true) }
        if take("False") { return .truth(false) }
        if take("(") { return numbers().map { .numbers($0) } }
        // The fields of records stand in a list; their names do not matter, as none are read.
        if take("[") { return records() }
        return text().map { .text($0) }
    }

    /// Goes to the end of the list, whose brackets and texts must be whole.
    private mutating func records() -> Literal? {
        var depth = 1
        while depth > 0 {
            skipSpace()
            guard let first = rest.first else { return nil }
            if first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") {
                guard text() != nil else { return nil }
                continue
            }
            if first == UInt8(ascii: "[") { depth += 1 }
            if first == UInt8(ascii: "]") { depth -= 1 }
            rest = rest.dropFirst()
        }
        return .text("records")
    }

    private mutating func numbers() -> [UInt64]? {
        var numbers: [UInt64] = []
        while !take(")") {
            skipSpace()
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let number = UInt64(String(decoding: digits, as: UTF8.self)),
                numbers.count < NumPyHeader.dimensionLimit
            else { return nil }
            rest = rest.dropFirst(digits.count)
            numbers.append(number)
            // As Python 2 wrote long numbers.
            _ = take("L")
            if take(",") { continue }
            guard take(")") else { return nil }
            break
        }
        return numbers
    }

    private mutating func text() -> String? {
        skipSpace()
        guard let quote = rest.first, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
        else { return nil }
        let body = rest.dropFirst().prefix { $0 != quote }
        guard !body.contains(UInt8(ascii: "\\")), body.endIndex < rest.endIndex else { return nil }
        rest = rest[(body.endIndex + 1)...]
        return String(decoding: body, as: UTF8.self)
    }

    private mutating func take(_ word: String) -> Bool {
        skipSpace()
        guard rest.starts(with: word.utf8) else { return false }
        rest = rest.dropFirst(word.utf8.count)
        return true
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    }
}
