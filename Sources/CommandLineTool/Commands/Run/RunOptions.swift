// The options that `train` and `coordinator` share, as specifications and as values.

import RunFolders
import Foundation
import Configuration
import Learning
import Training

struct RunOptions {
    static let configurationPositional = PositionalSpecification(
        "CONFIG", "the run's configuration, a JSON5 file as in configs/")

    static let specifications: [OptionSpecification] = [
        .init(
            "output", value: "DIR", "the run's folder (default: runs/<the configuration's name>)"),
        .init("resume", "continue from the folder's last checkpoint"),
        .init("overwrite", "replace the run that is in the folder"),
        .init("steps", value: "N", "train for N steps in all, whatever the configuration says"),
        .init(
            "set", value: "KEY.PATH=VALUE", repeats: true,
            "change a key of the configuration; may be given again"),
    ]

    let configurationPath: String
    let configuration: RunConfiguration
    let folder: RunFolder
    let mode: RunFolder.Mode

    init(_ arguments: ParsedArguments, _ tasks: TaskList) throws {
        if arguments.has("resume"), arguments.has("overwrite") {
            throw UsageError("--resume and --overwrite exclude each other")
        }
        mode =
            arguments.has("resume") ? .resume : arguments.has("overwrite") ? .overwrite : .begin
        var overrides = arguments.texts("set")
        if let steps = try arguments.integer("steps", in: 1...1_000_000_000) {
            overrides.append("steps=\(steps)")
        }
        configurationPath = arguments.positionals[0]
        configuration = try RunConfiguration.load(
            path: configurationPath, overrides: overrides, tasks: tasks)
        folder = RunFolder(path: arguments.text("output") ?? "runs/\(configuration.name)")
    }

    /// The arguments with which another process reads the same options.
    static func arguments(from arguments: ParsedArguments) -> [String] {
        var result = [arguments.positionals[0]]
        for option in ["output", "steps"] {
            if let value = arguments.text(option) { result.append("--\(option)=\(value)") }
        }
        for option in ["resume", "overwrite"] where arguments.has(option) {
            result.append("--\(option)")
        }
        return result + arguments.texts("set").map { "--set=\($0)" }
    }

    /// The same arguments for a process that continues the run.
    static func resuming(_ arguments: [String]) -> [String] {
        arguments.filter { $0 != "--overwrite" && $0 != "--resume" } + ["--resume"]
    }
}
