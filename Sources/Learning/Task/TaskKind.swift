import Configuration
import Datasets

/// A task as the catalog lists it. Usually a type's static members; a program that uses the library
/// may capture its samples in `read`.
package struct TaskKind: Sendable {
    package let name: String
    package let formats: [any DataFormat.Type]
    package let keys: [String]
    package let fileNames: [String]
    package let uses: [any ModelUse.Type]
    package let read: @Sendable (ConfigurationReader) throws(ConfigurationError) -> any LearningTask

    package init<Task: LearningTask>(
        _ type: Task.Type,
        read:
            @escaping @Sendable (ConfigurationReader) throws(ConfigurationError) -> any LearningTask =
            { reader throws(ConfigurationError) in try Task(reader) }
    ) {
        name = type.name
        formats = type.formats
        keys = type.keys
        fileNames = type.fileNames
        uses = type.uses
        self.read = read
    }
}

/// The tasks that this process knows, in the order in which a format's default is looked for.
package struct TaskList: Sendable {
    package let kinds: [TaskKind]
    /// The network that a program brings; see `RunContext`.
    package let customNetwork: CustomNetwork?

    package init(_ kinds: [TaskKind], customNetwork: CustomNetwork? = nil) {
        self.kinds = kinds
        self.customNetwork = customNetwork
    }

    /// The names of all files that some task keeps in a run's folder.
    package var fileNames: [String] { kinds.flatMap(\.fileNames).uniqued() }

    /// The members of a configuration that belong to some task.
    var keys: [String] { kinds.flatMap(\.keys).uniqued() }

    private var formatNames: [String] {
        kinds.flatMap { $0.formats.map { $0.name } }.uniqued()
    }

    /// The task that a configuration is for: the key `task`, or what `data.format` stands for.
    func kind(for configuration: ConfigurationReader) throws(ConfigurationError) -> TaskKind {
        guard configuration.has("data") else { throw configuration.missing("data", "an object") }
        let data = try configuration.openObject("data")
        let format = try data.choice("format", among: formatNames) ?? defaultFormat
        guard let name = try configuration.choice("task", among: kinds.map(\.name)) else {
            guard let kind = kinds.first(where: { $0.has(format) }) else {
                throw configuration.missing("task", "the name of a task")
            }
            return kind
        }
        guard let kind = kinds.first(where: { $0.name == name && $0.has(format) }) else {
            let known = kinds.filter { $0.name == name }.flatMap { $0.formats.map { $0.name } }
            throw data.conflict(
                "format",
                "the task \"\(name)\" has data of the format"
                    + " \(known.map { "\"\($0)\"" }.joined(separator: " or ")), not \"\(format)\"")
        }
        return kind
    }

    private var defaultFormat: String { kinds.first?.formats.first?.name ?? "" }
}

extension TaskKind {
    fileprivate func has(_ format: String) -> Bool { formats.contains { $0.name == format } }
}

extension ConfigurationReader {
    /// The object `data`: its format, one of `formats`, the first by default, with a reader for the
    /// task's own keys in that object.
    package func data(
        _ formats: [any DataFormat.Type], taskKeys: [String]
    ) throws(ConfigurationError) -> (format: any DataFormat, reader: ConfigurationReader) {
        let name = try openObject("data").choice("format", among: formats.map { $0.name })
        guard let type = formats.first(where: { $0.name == name }) ?? formats.first else {
            preconditionFailure("a task without formats")
        }
        let reader = try object("data", keys: ["format"] + type.keys + taskKeys)
        return (try type.init(reader), reader)
    }

    /// What becomes of the samples that do not fill the last step of an epoch: the key `lastBatch`
    /// of `data`.
    package func lastBatch() throws(ConfigurationError) -> StepPlan.LastBatch {
        try name("lastBatch") ?? .pad
    }
}

extension DataFormat {
    /// The object `data` with the task's own members.
    package func resolvedData(
        _ taskMembers: [String: ConfigurationValue]
    ) -> ConfigurationValue {
        var members = resolved.merging(taskMembers) { $1 }
        members["format"] = .string(Self.name)
        return .object(members)
    }
}

extension [String] {
    /// Each once, in the order of the first occurrences.
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
