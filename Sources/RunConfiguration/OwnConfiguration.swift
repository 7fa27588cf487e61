// What a program that uses the library brings itself: its network, and perhaps its data. The configuration
// only names them, so that a run's folder says whose they are.

import Foundation

/// A network that is defined in a program.
package struct OwnModelConfiguration: Sendable, Equatable {
    /// The network's type.
    package var name: String
    /// The program's file name.
    package var program: String

    package init(name: String, program: String) {
        self.name = name
        self.program = program
    }

    static let keys = ["name", "program"]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        name = try reader.required("name", "the name of the program's network") {
            reader, key throws(ConfigurationError) in try reader.text(key)
        }
        program = try reader.required("program", "the program's name") {
            reader, key throws(ConfigurationError) in try reader.text(key)
        }
    }

    var members: [String: ConfigurationValue] {
        [
            "type": .string(ModelTypeName.own.rawValue), "name": .string(name),
            "program": .string(program),
        ]
    }
}

/// Data that a program has in memory.
package struct OwnDataConfiguration: Sendable, Equatable {
    package enum Targets: String, CaseIterable, Sendable { case classes, values }

    package var targets: Targets
    package var lastBatch: DataConfiguration.LastBatch

    static let keys = ["format", "targets", "lastBatch"]

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("data", keys: Self.keys)
        targets = try reader.name("targets") ?? .classes
        lastBatch = try reader.name("lastBatch") ?? .pad
    }

    var resolved: ConfigurationValue {
        .object([
            "format": .string(DataConfiguration.Format.own.rawValue),
            "targets": .string(targets.rawValue),
            "lastBatch": .string(lastBatch.rawValue),
        ])
    }
}

extension RunConfiguration {
    /// Reads the configuration of a program's run: a JSON5 text, or the path of one.
    ///
    /// - Parameters:
    ///   - model: takes the place of the configuration's layers.
    ///   - targets: those of the program's data, if these take the place of the configuration's.
    package static func ofProgram(
        _ textOrPath: String, model: OwnModelConfiguration, targets: OwnDataConfiguration.Targets?,
        settings: [String]
    ) throws(ConfigurationError) -> RunConfiguration {
        var all = ["model.layers=null"]
        for (key, value) in model.members.sorted(by: { $0.key < $1.key }) {
            all.append("model.\(key)=\(String(decoding: value.encoded(), as: UTF8.self))")
        }
        if let targets {
            all.append("data={ format: \"own\", targets: \"\(targets.rawValue)\" }")
        }
        all += settings
        // No path has braces, and no configuration has none.
        guard textOrPath.contains("{") else { return try load(path: textOrPath, overrides: all) }
        return try parse(
            Data(textOrPath.utf8), origin: "the program's configuration",
            defaultName: model.program, overrides: all)
    }
}
