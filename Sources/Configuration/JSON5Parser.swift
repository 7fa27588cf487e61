// JSON5 text to a tree: JSON with comments, trailing commas, unquoted keys, single quotes and
// hexadecimal numbers (https://spec.json5.org).
//
// Why not Foundation's decoder: with JSON5 allowed, that of Swift 6.3 ends the program on a number
// such as "0.1e+", keeps one of two equal keys without a word, and often cannot say where a mistake
// is. Here every mistake is an error with its line and column, equal keys are one of them, and
// nesting is bounded.

import Foundation

struct JSON5Parser {
    struct Failure: Error {
        let what: String
        /// Of the mistake, in bytes from the start.
        let position: Int
    }

    private static let depthLimit = 64

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Parses a whole text.
    static func parse(_ text: Data) throws(ConfigurationSyntaxError) -> ConfigurationValue {
        var parser = JSON5Parser(Array(text))
        // Some editors put a byte-order mark in front of UTF-8.
        if parser.bytes.starts(with: [0xef, 0xbb, 0xbf]) { parser.position = 3 }
        do throws(Failure) {
            let value = try parser.value(depth: 0)
            try parser.skipSpace()
            guard parser.position == parser.bytes.count else {
                throw parser.unexpected("the end")
            }
            return value
        } catch {
            let before = parser.bytes[..<error.position]
            let lineStart = (before.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
            throw ConfigurationSyntaxError(
                what: error.what, line: before.count { $0 == UInt8(ascii: "\n") } + 1,
                column: error.position - lineStart + 1)
        }
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ what: String) -> Failure { Failure(what: what, position: position) }

    private func unexpected(_ expected: String) -> Failure {
        guard let current else { return failure("the text ends, expected \(expected)") }
        let isPrintable = (0x21..<0x7f).contains(current)
        let got = isPrintable ? "\"\(Character(Unicode.Scalar(current)))\"" : "byte \(current)"
        return failure("\(got), expected \(expected)")
    }

    // MARK: Structure

    private mutating func value(depth: Int) throws(Failure) -> ConfigurationValue {
        try skipSpace()
        guard depth < Self.depthLimit else {
            throw failure("nesting deeper than \(Self.depthLimit)")
        }
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try string())
        default: return try wordOrNumber()
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> ConfigurationValue {
        var members: [String: ConfigurationValue] = [:]
        position += 1
        while true {
            try skipSpace()
            if accept("}") { return .object(members) }
            let start = position
            let key = try self.key()
            guard members[key] == nil else {
                throw Failure(what: "the key \"\(key)\" for the second time", position: start)
            }
            try skipSpace()
            guard accept(":") else { throw unexpected("\":\" after the key \"\(key)\"") }
            members[key] = try value(depth: depth + 1)
            try skipSpace()
            if accept(",") { continue }
            guard accept("}") else { throw unexpected("\",\" or \"}\"") }
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> ConfigurationValue {
        var elements: [ConfigurationValue] = []
        position += 1
        while true {
            try skipSpace()
            if accept("]") { return .array(elements) }
            elements.append(try value(depth: depth + 1))
            try skipSpace()
            if accept(",") { continue }
            guard accept("]") else { throw unexpected("\",\" or \"]\"") }
            return .array(elements)
        }
    }

    private mutating func key() throws(Failure) -> String {
        if current == UInt8(ascii: "\"") || current == UInt8(ascii: "'") { return try string() }
        let word = takeWord()
        guard let first = word.utf8.first, !(0x30...0x39).contains(first) else {
            throw unexpected("a key or \"}\"")
        }
        return word
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() throws(Failure) {
        while let byte = current {
            switch byte {
            case 0x20, 0x09...0x0d:
                position += 1
            case UInt8(ascii: "/"):
                let second = position + 1 < bytes.count ? bytes[position + 1] : 0
                if second == UInt8(ascii: "/") {
                    while let byte = current, byte != UInt8(ascii: "\n") {
                        position += byte == 0 ? 0 : 1
                        if byte == 0 { throw failure("a zero byte") }
                    }
                } else if second == UInt8(ascii: "*") {
                    let start = position
                    position += 2
                    while true {
                        guard position + 1 < bytes.count else {
                            throw Failure(what: "a comment without an end", position: start)
                        }
                        if bytes[position] == UInt8(ascii: "*"),
                            bytes[position + 1] == UInt8(ascii: "/")
                        {
                            position += 2
                            break
                        }
                        position += 1
                    }
                } else {
                    return
                }
            default:
                return
            }
        }
    }

    // MARK: Words and numbers

    /// Letters, digits, "_" and "$": an unquoted key or a word such as `true`.
    private mutating func takeWord() -> String {
        takeWhile { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || byte == 0x5f || byte == 0x24
        }
    }

    private mutating func takeWhile(_ isPart: (UInt8) -> Bool) -> String {
        let start = position
        while let byte = current, isPart(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func wordOrNumber() throws(Failure) -> ConfigurationValue {
        let start = position
        let text = takeWhile { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || byte == 0x2b || byte == 0x2d || byte == 0x2e
                || byte == 0x5f || byte == 0x24
        }
        switch text {
        case "": throw unexpected("a value")
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default:
            if let number = Self.number(text) { return number }
            throw Failure(what: "\"\(text.prefix(40))\", expected a value", position: start)
        }
    }

    private static func number(_ text: String) -> ConfigurationValue? {
        var digits = Substring(text)
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        let sign: Double = isNegative ? -1 : 1
        switch digits {
        case "Infinity": return .number(sign * .infinity)
        case "NaN": return .number(.nan)
        default: break
        }
        if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
            let hexadecimal = digits.dropFirst(2)
            guard let first = hexadecimal.first, first.isHexDigit else { return nil }
            return Int((isNegative ? "-" : "") + hexadecimal, radix: 16).map { .integer($0) }
        }
        guard isDecimal(digits) else { return nil }
        if let integer = Int((isNegative ? "-" : "") + digits) { return .integer(integer) }
        guard let number = Double(padded(digits)) else { return nil }
        // 3.0 is a whole number too; beyond 2^53 a double no longer tells which.
        if abs(number) < 0x1p53, number.rounded() == number { return .integer(Int(sign * number)) }
        return .number(sign * number)
    }

    /// Digits, at most one point, at least one digit around it, an exponent; no leading zeros.
    private static func isDecimal(_ text: Substring) -> Bool {
        let parts = text.split(
            maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { "eE".contains($0) })
        func areDigits(_ part: Substring) -> Bool { part.allSatisfy { $0.isASCII && $0.isNumber } }
        if parts.count == 2 {
            let exponent = parts[1].drop(while: { "+-".contains($0) })
            guard !exponent.isEmpty, parts[1].count - exponent.count <= 1, areDigits(exponent)
            else { return false }
        }
        let mantissa = parts[0].split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard mantissa.allSatisfy(areDigits), mantissa.contains(where: { !$0.isEmpty })
        else { return false }
        return mantissa[0].count <= 1 || !mantissa[0].hasPrefix("0")
    }

    /// ".5" and "5." as Swift's own reading of numbers wants them.
    private static func padded(_ text: Substring) -> String {
        var result = text.hasPrefix(".") ? "0\(text)" : String(text)
        if let point = result.firstIndex(of: ".") {
            let next = result.index(after: point)
            if next == result.endIndex || "eE".contains(result[next]) {
                result.insert("0", at: next)
            }
        }
        return result
    }

    // MARK: Texts

    private mutating func string() throws(Failure) -> String {
        let start = position
        let quote = bytes[position]
        position += 1
        var text: [UInt8] = []
        while true {
            guard let byte = current else {
                throw Failure(what: "a text without an end", position: start)
            }
            switch byte {
            case quote:
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw Failure(what: "a text that is not UTF-8", position: start)
                }
                position += 1
                return string
            case 0x0a, 0x0d, 0x00:
                throw Failure(what: "a text without an end", position: start)
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            default:
                text.append(byte)
                position += 1
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        guard let letter = current else { throw failure("a text without an end") }
        position += 1
        switch letter {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "v"): text.append(0x0b)
        case UInt8(ascii: "0"): text.append(0x00)
        case UInt8(ascii: "x"): append(try hexadecimal(digitCount: 2), to: &text)
        case UInt8(ascii: "u"): append(try unicodeEscape(), to: &text)
        case 0x0a: break  // an escaped line break continues the text
        case 0x0d: if current == 0x0a { position += 1 }
        case 0x31...0x39: throw failure("an escaped digit")
        default: text.append(letter)
        }
    }

    private func append(_ scalar: Unicode.Scalar, to text: inout [UInt8]) {
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    private mutating func unicodeEscape() throws(Failure) -> Unicode.Scalar {
        let high = try codeUnit(digitCount: 4)
        guard (0xd800..<0xdc00).contains(high) else {
            guard let scalar = Unicode.Scalar(high) else {
                throw failure("half of a surrogate pair")
            }
            return scalar
        }
        guard accept("\\"), accept("u") else { throw failure("half of a surrogate pair") }
        let low = try codeUnit(digitCount: 4)
        guard (0xdc00..<0xe000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
        else { throw failure("half of a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal(digitCount: Int) throws(Failure) -> Unicode.Scalar {
        guard let scalar = Unicode.Scalar(try codeUnit(digitCount: digitCount)) else {
            throw failure("half of a surrogate pair")
        }
        return scalar
    }

    private mutating func codeUnit(digitCount: Int) throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<digitCount {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw failure("no hexadecimal digit") }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}

/// A mistake in the text, before anything is known of its meaning. Lines and columns count from 1.
struct ConfigurationSyntaxError: Error, Equatable {
    let what: String
    let line: Int
    let column: Int
}
