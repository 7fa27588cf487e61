// The file of hosts for `--hosts`: one host a line, for people to write by hand.
//
//     # name as ssh takes it    options in any order
//     node1                     slots=2 rondo=/opt/rondo/bin/rondo
//     anna@node2.example.org    ssh="-p 2222 -i ~/.ssh/cluster"
//
// A `#` outside quotes begins a comment. Every mistake is answered with the line's number.

import Foundation

/// The hosts of a run, in the order of their slots.
package struct HostsFile: Equatable, Sendable {
    package struct Host: Equatable, Sendable {
        /// As ssh takes it: a name, an alias of the user's ssh configuration, `user@name`.
        package var name: String
        /// How many workers run there.
        package var slots: Int
        /// The program there: a path, or a name to be found in the PATH of the host's shell.
        package var rondo: String
        /// Options for ssh, before ours, so that they win.
        package var sshOptions: [String]

        package init(
            name: String, slots: Int = 1, rondo: String = "rondo", sshOptions: [String] = []
        ) {
            self.name = name
            self.slots = slots
            self.rondo = rondo
            self.sshOptions = sshOptions
        }
    }

    package var hosts: [Host]

    package var slotCount: Int { hosts.reduce(0) { $0 + $1.slots } }

    /// A run has at most this many replicas, so more workers could not have one each.
    static let slotLimit = 1024
    private static let byteLimit = 1 << 20

    package static func load(path: String) throws(LaunchingError) -> HostsFile {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            throw .hostsFileUnusable(
                path: path, reason: exists ? "cannot read the file of hosts" : "no such file")
        }
        guard bytes.count <= byteLimit, let text = String(data: bytes, encoding: .utf8) else {
            throw .hostsFileUnusable(path: path, reason: "not a text file of hosts")
        }
        return try parse(text, path: path)
    }

    package static func parse(
        _ text: String, path: String
    ) throws(LaunchingError) -> HostsFile {
        var hosts: [Host] = []
        var slotCount = 0
        for (index, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            func wrong(_ problem: String) -> LaunchingError {
                .hostsFile(path: path, line: index + 1, problem: problem)
            }
            guard let fields = fields(of: line) else { throw wrong("a quote is not closed") }
            guard let name = fields.first else { continue }
            guard !name.contains("="), !name.hasPrefix("-") else {
                throw wrong("expected a host's name first, got '\(name)'")
            }
            var host = Host(name: name)
            for word in fields.dropFirst() {
                if let problem = apply(word, to: &host) { throw wrong(problem) }
            }
            hosts.append(host)
            slotCount += host.slots
            guard slotCount <= slotLimit else {
                throw wrong("more than \(slotLimit) slots in all")
            }
        }
        guard !hosts.isEmpty else {
            throw .hostsFileUnusable(path: path, reason: "no host in the file")
        }
        return HostsFile(hosts: hosts)
    }

    /// Reads `key=value` into the host and returns what is wrong, or nil.
    private static func apply(_ word: String, to host: inout Host) -> String? {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            return "'\(word)' is not key=value; keys are slots, rondo and ssh"
        }
        let value = String(parts[1])
        switch parts[0] {
        case "slots":
            guard let slots = Int(value), (1...slotLimit).contains(slots) else {
                return "slots must be a whole number from 1 to \(slotLimit), got '\(value)'"
            }
            host.slots = slots
        case "rondo":
            guard !value.isEmpty else { return "rondo needs the program's path on the host" }
            host.rondo = value
        case "ssh":
            guard let options = fields(of: Substring(value)) else { return "a quote is not closed" }
            host.sshOptions = options
        default:
            return "unknown key '\(parts[0])'; keys are slots, rondo and ssh"
        }
        return nil
    }

    /// The fields of a line up to its comment: separated by blanks, where quotes (single or double)
    /// keep blanks and `#` inside. Nil when a quote is not closed.
    private static func fields(of line: Substring) -> [String]? {
        var fields: [String] = []
        var word: String?
        var quote: Character?
        for character in line {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character == "#", word == nil {
                break
            } else if character.isWhitespace {
                if let finished = word { fields.append(finished) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { return nil }
        if let word { fields.append(word) }
        return fields
    }
}
