import Configuration
import Foundation
import Models

/// Data that a program has in memory.
package struct CustomDataConfiguration: Sendable, Equatable {
    package enum Targets: String, CaseIterable, Sendable { case classes, values }

    package var targets: Targets
    package var lastBatch: DataConfiguration.LastBatch

    package static let keys = ["format", "targets", "lastBatch"]

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("data", keys: Self.keys)
        targets = try reader.name("targets") ?? .classes
        lastBatch = try reader.name("lastBatch") ?? .pad
    }

    package var resolved: ConfigurationValue {
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
        _ textOrPath: String, model: CustomModelConfiguration,
        targets: CustomDataConfiguration.Targets?,
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
