// A subcommand's interface as plain data: its arguments and the text of its help.
//
// The parser and the help page both read this description, so an option cannot be accepted without
// being documented, or documented without being accepted.

/// An option: `--name VALUE`, or `--name` alone when it takes no value.
package struct OptionSpecification: Sendable {
    /// Without the dashes.
    package let name: String
    /// The placeholder for the value in the help, in capitals; nil for an option without a value.
    package let valueName: String?
    package let help: String
    /// Whether the option may be given more than once.
    package let repeats: Bool
    /// Whether only rondo itself passes the option to its processes; the help does not show it.
    package let isHidden: Bool

    package init(
        _ name: String, value valueName: String? = nil, repeats: Bool = false,
        isHidden: Bool = false, _ help: String
    ) {
        self.name = name
        self.valueName = valueName
        self.help = help
        self.repeats = repeats
        self.isHidden = isHidden
    }
}

/// An argument without dashes, by its position.
package struct PositionalSpecification: Sendable {
    package let name: String
    package let help: String
    /// Whether it takes all remaining arguments, at least one.
    package let repeats: Bool
    /// Whether it may be left out; only the last one may.
    package let isOptional: Bool

    package init(
        _ name: String, repeats: Bool = false, isOptional: Bool = false, _ help: String
    ) {
        self.name = name
        self.help = help
        self.repeats = repeats
        self.isOptional = isOptional
    }
}

/// A subcommand and everything it accepts.
package struct CommandSpecification: Sendable {
    package let name: String
    /// One line for the list of commands.
    package let summary: String
    /// Paragraphs for the command's own help, each one line; they are wrapped when shown.
    package let discussion: [String]
    package let positionals: [PositionalSpecification]
    package let options: [OptionSpecification]
    /// Complete command lines to copy.
    package let examples: [String]

    package init(
        name: String, summary: String, discussion: [String] = [],
        positionals: [PositionalSpecification] = [], options: [OptionSpecification] = [],
        examples: [String] = []
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.positionals = positionals
        self.options = options
        self.examples = examples
    }

    /// The options that the help shows, and `--help`.
    var visibleOptionNames: [String] {
        options.filter { !$0.isHidden }.map(\.name) + ["help"]
    }
}
