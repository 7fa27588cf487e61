// Where a run goes on: its newest whole checkpoint, and the proof that the configuration given now
// is the one the checkpoint was made with, as far as the result depends on it.

import RunFolders
import Checkpoints
import Datasets
import ExitCodes
import Foundation
import Configuration
import Learning

/// A checkpoint that belongs to another configuration.
package struct ResumeMismatch: ExitCoded, Equatable, Sendable, CustomStringConvertible {
    package enum Problem: Equatable, Sendable {
        /// The key that differs, and its values in the folder and in the configuration given now.
        case differs(key: String, stored: String, given: String)
        /// The data are others than the run was begun with.
        case otherData
        /// The run is beyond the length given now.
        case tooLong(step: Int, totalSteps: Int)
    }

    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var exitCode: ExitCode { .usage }

    package var description: String {
        switch problem {
        case .differs(let key, let stored, let given):
            "cannot resume \(path): it was trained with \"\(key)\" \(stored), but the configuration "
                + "now says \(given); use the same configuration, or --overwrite to begin anew"
        case .otherData:
            "cannot resume \(path): the data files are not those that it was trained with; give those, or "
                + "--overwrite to begin anew"
        case .tooLong(let step, let totalSteps):
            "cannot resume \(path): it is at step \(step) already, but the configuration now ends "
                + "at step \(totalSteps); give a greater length, or --overwrite to begin anew"
        }
    }
}

/// The state that a resumed run begins with.
package struct ResumePoint: Sendable {
    /// Committed steps; 0 when the run was interrupted before its first checkpoint.
    package let step: Int
    /// The arithmetic that the state was made with; nil at step 0.
    package let arithmetic: String?
    package let files: [(name: String, bytes: Data)]
    /// Damaged checkpoints that were passed over, and what the result will differ by.
    package let warnings: [String]

    /// The beginning of a run.
    package static let start = ResumePoint(step: 0, arithmetic: nil, files: [], warnings: [])

    private init(
        step: Int, arithmetic: String?, files: [(name: String, bytes: Data)], warnings: [String]
    ) {
        self.step = step
        self.arithmetic = arithmetic
        self.files = files
        self.warnings = warnings
    }

    /// Finds the state in a run's folder.
    ///
    /// - Parameter plan: the steps of the run as it is now.
    /// - Throws: `ResumeMismatch`, `ConfigurationError` or `CheckpointError`.
    package init(
        in folder: RunFolder, for configuration: RunConfiguration, plan: StepPlan, tasks: TaskList
    ) throws {
        let stored = try RunConfiguration.load(path: folder.configurationPath, tasks: tasks)
        if let (key, old, new) = Self.difference(stored, configuration) {
            throw ResumeMismatch(
                path: folder.path, problem: .differs(key: key, stored: old, given: new))
        }
        guard DataFingerprint.isUnchanged(configuration.task.data.paths, in: folder) else {
            throw ResumeMismatch(path: folder.path, problem: .otherData)
        }
        let store = CheckpointStore(
            directory: folder.checkpointsPath, keep: configuration.checkpoint.keep)
        let (found, skipped) = try store.latestComplete()
        var warnings = skipped.map { "skipped a checkpoint: \($0)" }
        guard let found else {
            self.init(step: 0, arithmetic: nil, files: [], warnings: warnings)
            return
        }
        let total = configuration.totalSteps(stepsPerEpoch: plan.stepsPerEpoch)
        guard found.description.step <= total else {
            throw ResumeMismatch(
                path: folder.path,
                problem: .tooLong(step: found.description.step, totalSteps: total))
        }
        let before = stored.totalSteps(stepsPerEpoch: plan.stepsPerEpoch)
        if before != total, configuration.schedule.shape.dependsOnLength {
            warnings.append(
                "the run was to end at step \(before) and now ends at step \(total); the learning "
                    + "rate's schedule depends on that, so the model will not be that of one run of "
                    + "\(total) steps")
        }
        self.init(
            step: found.description.step, arithmetic: found.description.arithmetic.nonEmpty,
            files: found.files, warnings: warnings)
    }

    /// The first key on which the result depends and in which the two differ. A run may be made
    /// longer or shorter, its data may have moved, and it may save more or less often.
    static func difference(
        _ stored: RunConfiguration, _ given: RunConfiguration
    ) -> (key: String, stored: String, given: String)? {
        var adapted = stored
        adapted.name = given.name
        adapted.length = given.length
        adapted.checkpoint = given.checkpoint
        adapted.evaluation = given.evaluation
        adapted.communication = given.communication
        var other = given
        adapted.task.data.paths = adapted.task.data.paths.map { _ in "" }
        other.task.data.paths = other.task.data.paths.map { _ in "" }
        return firstDifference(adapted.resolved, other.resolved, path: "")
    }

    private static func firstDifference(
        _ left: ConfigurationValue?, _ right: ConfigurationValue?, path: String
    ) -> (key: String, stored: String, given: String)? {
        if left == right { return nil }
        switch (left, right) {
        case (.object(let leftMembers), .object(let rightMembers)):
            // The type decides which other keys there are: it is the difference that was made.
            let keys = Set(leftMembers.keys).union(rightMembers.keys)
            for key in keys.filter({ $0 == "type" }) + keys.filter({ $0 != "type" }).sorted() {
                let inner = path.isEmpty ? key : "\(path).\(key)"
                if let found = firstDifference(leftMembers[key], rightMembers[key], path: inner) {
                    return found
                }
            }
            return nil
        case (.array(let leftElements), .array(let rightElements))
        where leftElements.count == rightElements.count:
            for (index, pair) in zip(leftElements, rightElements).enumerated() {
                if let found = firstDifference(pair.0, pair.1, path: "\(path).\(index)") {
                    return found
                }
            }
            return nil
        default:
            return (path, words(left), words(right))
        }
    }

    private static func words(_ value: ConfigurationValue?) -> String {
        guard let value else { return "(not given)" }
        let text = String(decoding: value.encoded(), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return text.count <= 60 ? text : text.prefix(57) + "..."
    }
}

extension String {
    /// A checkpoint may leave open what it was made with; any level will do then.
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
