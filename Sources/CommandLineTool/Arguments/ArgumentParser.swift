// Reads a subcommand's arguments by its specification. `--name VALUE` and `--name=VALUE` are the
// same, options and positionals may be mixed, and `--` ends the options. A short option exists only
// for help (`-h`): long names read well in scripts and in questions for help.

import Configuration
import ExitCodes

/// A command line that cannot be understood.
package struct UsageError: ExitCoded, Equatable, CustomStringConvertible {
    package let description: String
    package var exitCode: ExitCode { .usage }

    package init(_ description: String) {
        self.description = description
    }
}

/// A subcommand's arguments, checked against its specification.
package struct ParsedArguments: Equatable, Sendable {
    package private(set) var positionals: [String] = []
    /// Values by option name; an option without a value has an empty text for each occurrence.
    private var values: [String: [String]] = [:]
    /// Whether `--help` was given; then nothing else was checked.
    package private(set) var asksForHelp = false

    /// - Throws: `UsageError` that names the argument and what to type instead.
    package init(
        _ arguments: [String], for command: CommandSpecification
    ) throws(UsageError) {
        var rest = arguments[...]
        var optionsEnded = false
        while let argument = rest.popFirst() {
            let isPlain =
                !argument.hasPrefix("-") || argument == "-" || Double(argument) != nil
            if optionsEnded || isPlain {
                positionals.append(argument)
            } else if argument == "--" {
                optionsEnded = true
            } else if argument == "--help" || argument == "-h" {
                asksForHelp = true
                return
            } else {
                try takeOption(argument, &rest, command)
            }
        }
        try checkPositionals(command)
    }

    private mutating func takeOption(
        _ argument: String, _ rest: inout ArraySlice<String>, _ command: CommandSpecification
    ) throws(UsageError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let written = String(parts[0])
        if written == "--help" {
            throw UsageError("'--help' takes no value, got '\(parts[1])'")
        }
        let word = String(written.drop { $0 == "-" })
        guard written.hasPrefix("--"),
            let option = command.options.first(where: { $0.name == word })
        else {
            let nearest = Suggestion.nearest(to: word, among: command.visibleOptionNames)
            throw UsageError(
                "unknown option '\(written)' for 'rondo \(command.name)'; "
                    + (nearest.map { "did you mean '--\($0)'?" }
                        ?? "see 'rondo \(command.name) --help'"))
        }
        if !option.repeats, values[word] != nil {
            throw UsageError("'--\(word)' is given twice")
        }
        guard let valueName = option.valueName else {
            if parts.count > 1 { throw UsageError("'--\(word)' takes no value, got '\(parts[1])'") }
            values[word, default: []].append("")
            return
        }
        let value = parts.count > 1 ? String(parts[1]) : rest.popFirst()
        guard let value, !value.isEmpty else {
            throw UsageError("'--\(word)' needs a value: --\(word) \(valueName)")
        }
        if parts.count == 1, value.hasPrefix("--") {
            throw UsageError(
                "'--\(word)' needs a value but is followed by '\(value)'; "
                    + "a value that begins with dashes is written --\(word)=\(value)")
        }
        values[word, default: []].append(value)
    }

    private func checkPositionals(_ command: CommandSpecification) throws(UsageError) {
        if positionals.count < command.positionals.count,
            !command.positionals[positionals.count].isOptional
        {
            let missing = command.positionals[positionals.count]
            throw UsageError(
                "'rondo \(command.name)' needs \(missing.name): \(missing.help); "
                    + "see 'rondo \(command.name) --help'")
        }
        if let index = positionals.firstIndex(of: ""), let last = command.positionals.last {
            let name =
                index < command.positionals.count ? command.positionals[index].name : last.name
            throw UsageError(
                "\(name) of 'rondo \(command.name)' is empty; see 'rondo \(command.name) --help'")
        }
        let takesMore = command.positionals.last?.repeats ?? false
        if positionals.count > command.positionals.count, !takesMore {
            throw UsageError(
                "unexpected argument '\(positionals[command.positionals.count])'; "
                    + "see 'rondo \(command.name) --help'")
        }
    }

    package func has(_ option: String) -> Bool { values[option] != nil }

    package func text(_ option: String) -> String? { values[option]?.last }

    package func texts(_ option: String) -> [String] { values[option] ?? [] }

    /// - Throws: when the value is not a whole number in `range`.
    package func integer(
        _ option: String, in range: ClosedRange<Int>
    ) throws(UsageError) -> Int? {
        guard let text = text(option) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            let expected =
                range.upperBound == .max
                ? "a whole number from \(range.lowerBound)"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)"
            throw UsageError("'--\(option)' must be \(expected), got '\(text)'")
        }
        return value
    }

    /// - Throws: when the value is not a number in `range`.
    package func number(
        _ option: String, in range: ClosedRange<Double>
    ) throws(UsageError) -> Double? {
        guard let text = text(option) else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw UsageError(
                "'--\(option)' must be a number from \(Self.text(range.lowerBound)) to "
                    + "\(Self.text(range.upperBound)), got '\(text)'")
        }
        return value
    }

    private static func text(_ bound: Double) -> String {
        Int(exactly: bound).map(String.init) ?? "\(bound)"
    }
}
