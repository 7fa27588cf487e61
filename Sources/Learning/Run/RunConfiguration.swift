// A run's configuration: what every run has, and a task. It is JSON5 in configs/, read strictly
// (ConfigurationReader) once, by the coordinator; it travels and rests in its resolved form: plain
// JSON with every default written out, which reads back to the equal value.

import Configuration
import Foundation

/// Everything that determines a run's result, and a few settings that only determine its speed. Its
/// settings are members of it: `configuration.seed`.
@dynamicMemberLookup
package struct RunConfiguration: Sendable {
    package var settings: RunSettings
    package var task: any LearningTask
    /// The task's key in the catalog.
    package let taskName: String
    /// The network of the program that this process is; see `RunContext`.
    private let customNetwork: CustomNetwork?

    package subscript<Value>(dynamicMember key: WritableKeyPath<RunSettings, Value>) -> Value {
        get { settings[keyPath: key] }
        set { settings[keyPath: key] = newValue }
    }

    package subscript<Value>(dynamicMember key: KeyPath<RunSettings, Value>) -> Value {
        settings[keyPath: key]
    }

    /// What the task is given.
    package var context: RunContext {
        RunContext(settings: settings, customNetwork: customNetwork)
    }

    /// How many steps the run has.
    package func totalSteps(stepsPerEpoch: Int) -> Int {
        switch settings.length {
        case .epochs(let count): count * stepsPerEpoch
        case .steps(let count): count
        }
    }

    /// The same with data paths that mean the same in any working folder: workers have their own.
    package var withAbsoluteDataPaths: RunConfiguration {
        var copy = self
        copy.task.data.paths = task.data.paths.map { URL(fileURLWithPath: $0).path }
        return copy
    }
}

extension RunConfiguration: Equatable {
    package static func == (left: Self, right: Self) -> Bool { left.resolved == right.resolved }
}

extension RunConfiguration {
    /// Reads a configuration file; see `ConfigurationFile`.
    package static func load(
        path: String, overrides: [String] = [], tasks: TaskList
    ) throws(ConfigurationError) -> RunConfiguration {
        try RunConfiguration(ConfigurationFile(path: path, overrides: overrides), tasks)
    }

    /// Reads a configuration from JSON5 text; `origin` names it in errors.
    package static func parse(
        _ text: Data, origin: String, defaultName: String = "run", overrides: [String] = [],
        tasks: TaskList
    ) throws(ConfigurationError) -> RunConfiguration {
        try RunConfiguration(
            ConfigurationFile(
                text, origin: origin, defaultName: defaultName, overrides: overrides), tasks)
    }

    private init(_ file: ConfigurationFile, _ tasks: TaskList) throws(ConfigurationError) {
        let reader = try ConfigurationReader(
            file.tree, origin: file.origin, path: "",
            keys: RunSettings.keys + ["task"] + tasks.keys)
        settings = try RunSettings(reader, defaultName: file.defaultName)
        let kind = try tasks.kind(for: reader)
        try reader.refuse(tasks.keys.filter { !kind.keys.contains($0) })
        task = try kind.read(reader)
        taskName = kind.name
        customNetwork = tasks.customNetwork
    }

    /// The configuration with every default written out.
    package var resolved: ConfigurationValue {
        .object(
            settings.resolved.merging(task.resolved) { $1 }
                .merging(["task": .string(taskName)]) { $1 })
    }

    /// What `config.json` holds: plain JSON, keys sorted; `parse` of it gives the equal value.
    package func resolvedJSON() -> Data { resolved.encoded() }
}
