import Configuration
import CustomProgram
import Foundation
import Learning
import Models

extension RunConfiguration {
    /// Reads the configuration of a program's run: a JSON5 text, or the path of one.
    ///
    /// - Parameters:
    ///   - model: takes the place of the configuration's layers.
    ///   - targets: those of the program's data, if these take the place of the configuration's.
    package static func ofProgram(
        _ textOrPath: String, model: CustomModelConfiguration, targets: TargetKind?,
        settings: [String], tasks: TaskList
    ) throws(ConfigurationError) -> RunConfiguration {
        var all = ["model.layers=null"]
        for (key, value) in model.members.sorted(by: { $0.key < $1.key }) {
            all.append("model.\(key)=\(String(decoding: value.encoded(), as: UTF8.self))")
        }
        if let targets {
            all.append("data={ format: \"custom\", targets: \"\(targets.rawValue)\" }")
        }
        all += settings
        // No path has braces, and no configuration has none.
        guard textOrPath.contains("{") else {
            return try load(path: textOrPath, overrides: all, tasks: tasks)
        }
        return try parse(
            Data(textOrPath.utf8), origin: "the program's configuration",
            defaultName: model.program, overrides: all, tasks: tasks)
    }
}
