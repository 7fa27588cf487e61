// Strict reading of one object of the tree: the keys it may have are declared first, anything else
// is refused by its full path, and each value is asked for with its type and range. A null counts
// as an absent key, so `--set key=null` returns a key to its default.

/// Reads the members of one object.
package struct ConfigurationReader {
    package let origin: String
    package let path: String
    private let members: [String: ConfigurationValue]
    private let keys: [String]

    /// - Throws: `wrongType` if `value` is no object, `unknownKey` for a member not in `keys`.
    package init(
        _ value: ConfigurationValue, origin: String, path: String, keys: [String]
    ) throws(ConfigurationError) {
        guard case .object(let members) = value else {
            throw ConfigurationError(
                origin: origin,
                problem: .wrongType(
                    path: path.isEmpty ? "configuration" : path, expected: "an object",
                    got: value.summary))
        }
        self.origin = origin
        self.path = path
        self.keys = keys
        self.members = members.filter { $0.value != .null }
        for key in self.members.keys.sorted() where !keys.contains(key) {
            throw unknown(key, among: keys)
        }
    }

    /// Refuses keys that the reader takes in general, but not beside the others that are given.
    package func refuse(_ refused: [String]) throws(ConfigurationError) {
        guard let key = members.keys.sorted().first(where: refused.contains) else { return }
        throw unknown(key, among: keys.filter { !refused.contains($0) })
    }

    private func unknown(_ key: String, among keys: [String]) -> ConfigurationError {
        error(
            .unknownKey(
                path: path(key), suggestion: Suggestion.nearest(to: key, among: keys),
                known: keys.sorted()))
    }

    package func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    package func has(_ key: String) -> Bool { members[key] != nil }

    package func error(_ problem: ConfigurationError.Problem) -> ConfigurationError {
        ConfigurationError(origin: origin, problem: problem)
    }

    package func conflict(_ key: String, _ reason: String) -> ConfigurationError {
        error(.conflict(path: path(key), reason: reason))
    }

    package func outOfRange(_ key: String, _ expected: String, _ got: String) -> ConfigurationError
    {
        error(.outOfRange(path: path(key), expected: expected, got: got))
    }

    package func missing(_ key: String, _ expected: String) -> ConfigurationError {
        error(.missingKey(path: path(key), expected: expected))
    }

    private func wrongType(_ key: String, _ expected: String) -> ConfigurationError {
        let got = members[key]?.summary ?? "nothing"
        return error(.wrongType(path: path(key), expected: expected, got: got))
    }

    // MARK: Optional values: nil if the key is absent.

    package func integer(_ key: String, _ range: ClosedRange<Int>) throws(ConfigurationError)
        -> Int?
    {
        guard let value = members[key] else { return nil }
        guard case .integer(let number) = value else { throw wrongType(key, "a whole number") }
        guard range.contains(number) else {
            throw outOfRange(key, "from \(range.lowerBound) to \(range.upperBound)", "\(number)")
        }
        return number
    }

    package func number(_ key: String, _ range: NumberRange) throws(ConfigurationError) -> Double? {
        guard let value = members[key] else { return nil }
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .number(let double): number = double
        default: throw wrongType(key, "a number")
        }
        guard number.isFinite else {
            throw outOfRange(key, range.finiteWords, value.summary)
        }
        guard range.contains(number) else { throw outOfRange(key, range.words, value.summary) }
        return number
    }

    package func numbers(_ key: String, _ range: NumberRange) throws(ConfigurationError)
        -> [Double]?
    {
        guard let value = members[key] else { return nil }
        guard case .array(let elements) = value else { throw wrongType(key, "a list of numbers") }
        var numbers: [Double] = []
        for (position, element) in elements.enumerated() {
            let single = try ConfigurationReader(
                .object(["\(position)": element]), origin: origin, path: path(key),
                keys: ["\(position)"])
            numbers.append(
                try single.required("\(position)", "a number") {
                    reader, key throws(ConfigurationError) in try reader.number(key, range)
                })
        }
        return numbers
    }

    package func bool(_ key: String) throws(ConfigurationError) -> Bool? {
        guard let value = members[key] else { return nil }
        guard case .bool(let bool) = value else { throw wrongType(key, "true or false") }
        return bool
    }

    package func text(_ key: String) throws(ConfigurationError) -> String? {
        guard let value = members[key] else { return nil }
        guard case .string(let text) = value else { throw wrongType(key, "a text") }
        guard !text.isEmpty else {
            throw outOfRange(key, "a text of at least one character", value.summary)
        }
        guard !text.utf8.contains(0) else {
            throw outOfRange(key, "a text without the character \\u0000", value.summary)
        }
        return text
    }

    /// One of a fixed set of names, e.g. an optimizer's type.
    package func name<Name: RawRepresentable & CaseIterable>(
        _ key: String, _: Name.Type = Name.self
    ) throws(ConfigurationError) -> Name? where Name.RawValue == String {
        guard let text = try text(key) else { return nil }
        if let name = Name(rawValue: text) { return name }
        let known = Name.allCases.map(\.rawValue)
        let suggestion = Suggestion.nearest(to: text, among: known)
        throw error(
            .unknownName(path: path(key), got: text, suggestion: suggestion, known: known))
    }

    /// One of names that are known only to the caller, such as the formats of a task.
    package func choice(
        _ key: String, among known: [String]
    ) throws(ConfigurationError) -> String? {
        guard let text = try text(key) else { return nil }
        guard known.contains(text) else {
            throw error(
                .unknownName(
                    path: path(key), got: text,
                    suggestion: Suggestion.nearest(to: text, among: known), known: known))
        }
        return text
    }

    /// A nested object; an absent one reads as `{}`, so that defaults live in one place.
    package func object(_ key: String, keys: [String]) throws(ConfigurationError)
        -> ConfigurationReader
    {
        try ConfigurationReader(
            members[key] ?? .object([:]), origin: origin, path: path(key), keys: keys)
    }

    /// A nested object with whatever members it has: for the one that decides which others there
    /// may be.
    package func openObject(_ key: String) throws(ConfigurationError) -> ConfigurationReader {
        guard case .object(let inner) = members[key] else { return try object(key, keys: []) }
        return try object(key, keys: Array(inner.keys))
    }

    package func value(_ key: String) -> ConfigurationValue? { members[key] }

    package func list(_ key: String) throws(ConfigurationError) -> [ConfigurationValue]? {
        guard let value = members[key] else { return nil }
        guard case .array(let elements) = value else { throw wrongType(key, "a list") }
        return elements
    }

    /// A whole number for both directions or `[height, width]`.
    package func extent(_ key: String, _ range: ClosedRange<Int>) throws(ConfigurationError)
        -> Extent?
    {
        switch members[key] {
        case nil:
            return nil
        case .integer:
            return try integer(key, range).map { Extent(height: $0, width: $0) }
        case .array(let sides) where sides.count == 2:
            var lengths: [Int] = []
            for side in sides {
                guard case .integer(let length) = side, range.contains(length) else {
                    let words = "from \(range.lowerBound) to \(range.upperBound)"
                    throw outOfRange(key, "two whole numbers \(words)", side.summary)
                }
                lengths.append(length)
            }
            return Extent(height: lengths[0], width: lengths[1])
        default:
            throw wrongType(key, "a whole number or [height, width]")
        }
    }

    // MARK: Required values.

    package func required<Value>(
        _ key: String, _ expected: String,
        _ read: (ConfigurationReader, String) throws(ConfigurationError) -> Value?
    ) throws(ConfigurationError) -> Value {
        guard let value = try read(self, key) else { throw missing(key, expected) }
        return value
    }

    package func requiredText(
        _ key: String, _ expected: String
    ) throws(ConfigurationError) -> String {
        guard let value = try text(key) else { throw missing(key, expected) }
        return value
    }

    package func requiredInteger(
        _ key: String, _ range: ClosedRange<Int>, _ expected: String
    ) throws(ConfigurationError) -> Int {
        guard let value = try integer(key, range) else { throw missing(key, expected) }
        return value
    }
}

/// The finite numbers an option may take.
package struct NumberRange {
    let words: String
    let contains: (Double) -> Bool

    /// The words for a value that is not even finite.
    package var finiteWords: String {
        words.hasPrefix("a finite number") ? words : "a finite number \(words)"
    }

    private init(_ words: String, _ contains: @escaping (Double) -> Bool) {
        self.words = words
        self.contains = { $0.isFinite && contains($0) }
    }

    package static var any: NumberRange { NumberRange("a finite number") { _ in true } }
    package static var positive: NumberRange { NumberRange("above 0") { $0 > 0 } }
    package static var notNegative: NumberRange { NumberRange("at least 0") { $0 >= 0 } }
    /// The usual home of a decay rate or a probability: 1 itself makes no sense there.
    package static var fraction: NumberRange {
        NumberRange("at least 0 and below 1") { $0 >= 0 && $0 < 1 }
    }
    package static func from(_ lower: Double, to upper: Double) -> NumberRange {
        NumberRange("from \(lower) to \(upper)") { $0 >= lower && $0 <= upper }
    }
}
