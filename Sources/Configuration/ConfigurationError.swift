// What can be wrong with a configuration, as data, and the one place that puts it into words.
//
// Every message is one line: the file, the key by its full path (written as `--set` takes it, so
// list elements are numbers between dots), what was expected, what was found, what to try.

import ExitCodes

/// A configuration that cannot be used; `description` is the line shown to the user.
package struct ConfigurationError: ExitCoded, Equatable, Sendable {
    package enum Problem: Equatable, Sendable {
        case unreadable(reason: String)
        case empty
        case tooLarge(byteCount: Int, limit: Int)
        case syntax(what: String, line: Int, column: Int)
        case unknownKey(path: String, suggestion: String?, known: [String])
        case missingKey(path: String, expected: String)
        case wrongType(path: String, expected: String, got: String)
        case outOfRange(path: String, expected: String, got: String)
        case unknownName(path: String, got: String, suggestion: String?, known: [String])
        case conflict(path: String, reason: String)
        case override(text: String, reason: String)
    }

    /// The file the configuration came from, as the user wrote it.
    package let origin: String
    package let problem: Problem

    package var exitCode: ExitCode { .usage }

    package init(origin: String, problem: Problem) {
        self.origin = origin
        self.problem = problem
    }
}

extension ConfigurationError: CustomStringConvertible {
    package var description: String { "\(origin.isEmpty ? "\"\"" : origin): \(words)" }

    private var words: String {
        switch problem {
        case .unreadable(let reason):
            return "cannot read the configuration: \(reason)"
        case .empty:
            return "the configuration is empty; start from one of the files in configs/"
        case .tooLarge(let byteCount, let limit):
            return "\(byteCount) bytes are too many for a configuration (at most \(limit))"
        case .syntax(let what, let line, let column):
            return "not valid JSON5 at line \(line), column \(column): \(what)"
        case .unknownKey(let path, let suggestion, let known):
            return "unknown key \"\(path)\"; " + Self.hint(suggestion, known)
        case .missingKey(let path, let expected):
            return "missing key \"\(path)\", expected \(expected)"
        case .wrongType(let path, let expected, let got):
            return "\"\(path)\" must be \(expected), got \(got)"
        case .outOfRange(let path, let expected, let got):
            return "\"\(path)\" must be \(expected), got \(got)"
        case .unknownName(let path, let got, let suggestion, let known):
            return "\"\(path)\" is \"\(got)\", which is not known; " + Self.hint(suggestion, known)
        case .conflict(let path, let reason):
            return "\"\(path)\": \(reason)"
        case .override(let text, let reason):
            return "cannot apply --set \(text): \(reason)"
        }
    }

    private static func hint(_ suggestion: String?, _ known: [String]) -> String {
        if let suggestion { return "did you mean \"\(suggestion)\"?" }
        return "known: " + known.joined(separator: ", ")
    }
}

/// Finds the known word that a mistyped one was probably meant to be.
package enum Suggestion {
    /// The nearest of `known`, if it is near enough to be a slip: a third of the word's letters.
    package static func nearest(to word: String, among known: [String]) -> String? {
        let lowered = Array(word.lowercased().unicodeScalars.prefix(64))
        var best: (distance: Int, word: String)?
        for candidate in known.sorted() {
            let distance = editDistance(lowered, Array(candidate.lowercased().unicodeScalars))
            if distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        guard let best, best.distance <= max(1, lowered.count / 3) else { return nil }
        return best.word
    }

    /// Levenshtein's distance with neighbouring letters exchanged counted as one slip.
    static func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: right.count + 1)
        var previous = Array(0...right.count)
        var current = previous
        for i in left.indices {
            current[0] = i + 1
            for j in right.indices {
                let substitution = previous[j] + (left[i] == right[j] ? 0 : 1)
                current[j + 1] = min(substitution, previous[j + 1] + 1, current[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    current[j + 1] = min(current[j + 1], beforePrevious[j - 1] + 1)
                }
            }
            (beforePrevious, previous, current) = (previous, current, beforePrevious)
        }
        return previous[right.count]
    }
}
