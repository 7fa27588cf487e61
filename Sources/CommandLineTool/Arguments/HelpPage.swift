// The help pages, made from the specifications and wrapped to 80 columns so that they read well in
// any terminal.

import WireFormat

enum HelpPage {
    private static let width = 80

    /// The program's own page: what it is, its commands, how to begin.
    static func program(_ commands: [CommandSpecification]) -> String {
        var lines = [
            "rondo \(ProductVersion.current): distributed data-parallel training on ordinary machines.",
            "The model is the same, bit for bit, on any number of workers.", "",
            "usage: rondo COMMAND [ARGUMENT...]", "", "commands:",
        ]
        lines += table(commands.map { ($0.name, $0.summary) })
        lines += [
            "", "begin with:", "  rondo train configs/fashion-mnist-cnn.json --workers 2", "",
            "'rondo COMMAND --help' describes a command; 'rondo --version' prints the version.",
        ]
        return lines.joined(separator: "\n")
    }

    /// The page of one command.
    static func command(_ command: CommandSpecification) -> String {
        var lines = wrap("rondo \(command.name): \(command.summary)")
        lines += ["", "usage: rondo " + usage(command)]
        for paragraph in command.discussion { lines += [""] + wrap(paragraph) }
        if !command.positionals.isEmpty {
            lines += ["", "arguments:"] + table(command.positionals.map { ($0.name, $0.help) })
        }
        let options = command.options.filter { !$0.isHidden }
        let rows = options.map { (form($0), $0.help) } + [("--help", "show this page")]
        lines += ["", "options:"] + table(rows)
        if !command.examples.isEmpty {
            lines += ["", "examples:"] + command.examples.map { "  " + $0 }
        }
        return lines.joined(separator: "\n")
    }

    private static func usage(_ command: CommandSpecification) -> String {
        let positionals = command.positionals.map { argument in
            let name = argument.name + (argument.repeats ? "..." : "")
            return argument.isOptional ? "[\(name)]" : name
        }
        return ([command.name] + positionals + ["[OPTION...]"]).joined(separator: " ")
    }

    private static func form(_ option: OptionSpecification) -> String {
        "--" + option.name + (option.valueName.map { " " + $0 } ?? "")
    }

    private static func table(_ rows: [(String, String)]) -> [String] {
        let indent = (rows.map { $0.0.count }.max() ?? 0) + 4
        return rows.flatMap { name, text in
            wrap(text, width: width - indent).enumerated().map { number, line in
                let left = number == 0 ? "  " + name : ""
                return left + String(repeating: " ", count: indent - left.count) + line
            }
        }
    }

    private static func wrap(_ text: String, width: Int = width) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }
}
