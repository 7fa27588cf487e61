// The untyped tree between the text of a configuration and its typed form. Overrides are applied
// here, before any reading, so that `--set` obeys exactly the rules of the file.

import Foundation

/// One JSON5 value. Whole numbers stay integers, so that seeds keep all their digits.
package enum ConfigurationValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([ConfigurationValue])
    case object([String: ConfigurationValue])

    /// Parses JSON5 text (comments, trailing commas and unquoted keys allowed).
    package static func parse(_ text: Data, origin: String) throws(ConfigurationError) -> Self {
        do throws(ConfigurationSyntaxError) {
            return try JSON5Parser.parse(text)
        } catch {
            throw ConfigurationError(
                origin: origin,
                problem: .syntax(what: error.what, line: error.line, column: error.column))
        }
    }

    /// How the value is named in "expected ..., got ...".
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): value.isFinite ? "\(value)" : Self.nonFiniteWord(value)
        case .string(let value):
            "the text \"\(Self.escaped(value.prefix(60)))\(value.count > 60 ? "..." : "")\""
        case .array(let elements): "a list of \(elements.count)"
        case .object: "an object"
        }
    }

    /// As JSON5 writes it.
    private static func nonFiniteWord(_ value: Double) -> String {
        value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    }

    /// Control characters as JSON5 escapes: a message is one line, whatever a text holds.
    private static func escaped(_ text: Substring) -> String {
        text.unicodeScalars.map { scalar in
            guard scalar.properties.generalCategory == .control else { return String(scalar) }
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }

    /// JSON with sorted keys, one key a line, ending in a newline.
    package func encoded() -> Data {
        var text = ""
        write(to: &text, indentation: "")
        return Data((text + "\n").utf8)
    }

    private func write(to text: inout String, indentation: String) {
        let inner = indentation + "  "
        switch self {
        case .null: text += "null"
        case .bool(let value): text += "\(value)"
        case .integer(let value): text += "\(value)"
        case .number(let value): text += "\(value)"
        case .string(let value): text += Self.quoted(value)
        case .array(let elements):
            let nested = elements.contains { element in
                switch element {
                case .array, .object: true
                default: false
                }
            }
            text += "["
            for (position, element) in elements.enumerated() {
                text += position == 0 ? "" : nested ? "," : ", "
                text += nested ? "\n\(inner)" : ""
                element.write(to: &text, indentation: inner)
            }
            text += nested ? "\n\(indentation)]" : "]"
        case .object(let members):
            text += "{"
            for (position, key) in members.keys.sorted().enumerated() {
                text += position == 0 ? "\n" : ",\n"
                text += "\(inner)\(Self.quoted(key)): "
                members[key]?.write(to: &text, indentation: inner)
            }
            text += members.isEmpty ? "}" : "\n\(indentation)}"
        }
    }

    private static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
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

/// One `--set key.path=value`.
package struct ConfigurationOverride: Equatable, Sendable {
    let text: String
    package let keys: [String]
    package let value: ConfigurationValue

    /// Splits at the first "=". A value that is not JSON5 is taken as text, so that
    /// `data.directory=/srv/images` needs no quotes.
    package init(_ text: String, origin: String) throws(ConfigurationError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ConfigurationError(
                origin: origin, problem: .override(text: text, reason: "expected key.path=value"))
        }
        let path = text[..<equals]
        let valueText = String(text[text.index(after: equals)...])
        self.text = text
        keys = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !keys.contains("") else {
            throw ConfigurationError(
                origin: origin,
                problem: .override(text: text, reason: "\"\(path)\" has an empty part"))
        }
        let parsed = try? ConfigurationValue.parse(Data(valueText.utf8), origin: origin)
        value = parsed ?? .string(valueText)
    }

    /// Puts the value into `tree`; objects on the way are created, list elements must exist.
    package func apply(to tree: inout ConfigurationValue, origin: String) throws(ConfigurationError)
    {
        tree = try replaced(in: tree, depth: 0, origin: origin)
    }

    private func replaced(
        in tree: ConfigurationValue, depth: Int, origin: String
    ) throws(ConfigurationError) -> ConfigurationValue {
        guard depth < keys.count else { return value }
        let path = keys[..<depth].joined(separator: ".")
        let key = keys[depth]
        switch tree {
        case .object(var members):
            let member = members[key] ?? .object([:])
            members[key] = try replaced(in: member, depth: depth + 1, origin: origin)
            return .object(members)
        case .array(var elements):
            guard let index = Int(key), elements.indices.contains(index) else {
                let reason = "\"\(path)\" is a list of \(elements.count), it has no \"\(key)\""
                throw ConfigurationError(
                    origin: origin, problem: .override(text: text, reason: reason))
            }
            elements[index] = try replaced(in: elements[index], depth: depth + 1, origin: origin)
            return .array(elements)
        case .null:
            let member = try replaced(in: .object([:]), depth: depth + 1, origin: origin)
            return .object([key: member])
        case .bool, .integer, .number, .string:
            let reason = "\"\(path)\" is \(tree.summary), it has no \"\(key)\""
            throw ConfigurationError(origin: origin, problem: .override(text: text, reason: reason))
        }
    }
}
