import Configuration
import Datasets

/// What the targets of a program's samples are.
package enum TargetKind: String, CaseIterable, Sendable { case classes, values }

/// `data.format: "custom"`: samples in the memory of a program. There are no files; the program
/// hands its samples to the task.
struct ProgramFormat: DataFormat {
    static let name = "custom"
    static let keys = ["targets"]

    let targets: TargetKind
    var paths: [String] {
        get { [] }
        set {}
    }

    init(_ data: ConfigurationReader) throws(ConfigurationError) {
        targets = try data.name("targets") ?? .classes
    }

    var resolved: [String: ConfigurationValue] { ["targets": .string(targets.rawValue)] }

    func columns(of split: Split) throws(DataError) -> [Column.Outline] { throw Self.noFiles }

    func read(_ split: Split) throws(DataError) -> Dataset { throw Self.noFiles }

    private static let noFiles = DataError(
        file: "data", problem: .unreadable(reason: "the samples are in the memory of a program"))
}
