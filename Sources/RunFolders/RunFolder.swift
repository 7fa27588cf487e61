// A run's folder: what lies where in it, and the rules by which one is begun, continued or replaced.
//
//     config.json          the resolved configuration
//     data.json            by what the data are known again
//     metrics.jsonl        one JSON object a line, a step or an evaluation each
//     ledger.jsonl         which samples each step used, and who computed its replicas
//     coordinator.json     where the run's coordinator listens, while it runs
//     model.safetensors    the final weights, or their moving average
//     vocabulary.json      or what else the task keeps beside the weights
//     checkpoints/         step-00000060/, each complete or absent
//     workers/             worker-0.log, ... when `rondo train` started the workers
//     log.txt              what the coordinator had to say, with times
//     journal.json         who takes part, while the run is led

import Checkpoints
import ExitCodes
import Foundation

/// A folder that cannot be used for a run; `description` is one line for the user.
package struct RunFolderError: ExitCoded, Equatable, Sendable, CustomStringConvertible {
    package enum Problem: Equatable, Sendable {
        case exists
        /// Another coordinator leads a run there; who that is, if the folder tells.
        case inUse(coordinator: String?)
        case notARun
        case nothingToResume
        case cannotCreate(reason: String)
        case cannotWrite(file: String, reason: String)
    }

    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    /// A usage error if another command would have worked, a failure if the disk is to blame.
    package var exitCode: ExitCode {
        switch problem {
        case .exists, .inUse, .notARun, .nothingToResume: .usage
        case .cannotCreate, .cannotWrite: .failed
        }
    }

    package var description: String {
        switch problem {
        case .exists:
            "\(path) already holds a run; go on with it by --resume, replace it by --overwrite, "
                + "or choose another folder by --output"
        case .inUse(let coordinator):
            "a run is under way in \(path)" + (coordinator.map { " (\($0))" } ?? "")
                + "; wait for its end or end it by Ctrl-C, or choose another folder by --output"
        case .notARun:
            "\(path) is not empty and holds no run, so nothing is touched there; "
                + "choose another folder by --output"
        case .nothingToResume:
            "there is no run to resume in \(path); start it without --resume"
        case .cannotCreate(let reason):
            "cannot create the run's folder \(path): \(reason)"
        case .cannotWrite(let file, let reason):
            "cannot write \(path)/\(file): \(reason)"
        }
    }
}

/// The layout of a run's folder.
package struct RunFolder: Equatable, Sendable {
    package enum Mode: Equatable, Sendable { case begin, resume, overwrite }

    package let path: String

    /// The layout alone; nothing is created.
    package init(path: String) {
        self.path = path
    }

    package var configurationPath: String { "\(path)/config.json" }
    package var metricsPath: String { "\(path)/metrics.jsonl" }
    package var modelPath: String { "\(path)/model.safetensors" }
    package var checkpointsPath: String { "\(path)/checkpoints" }
    package var dataPath: String { "\(path)/\(Self.dataName)" }
    package var ledgerPath: String { "\(path)/\(Self.ledgerName)" }
    package var coordinatorPath: String { "\(path)/\(Self.coordinatorName)" }
    package var logPath: String { "\(path)/log.txt" }
    package var workersPath: String { "\(path)/workers" }

    package func workerLogPath(slot: Int) -> String { "\(workersPath)/worker-\(slot).log" }

    package static let dataName = "data.json"
    package static let ledgerName = "ledger.jsonl"
    package static let coordinatorName = "coordinator.json"

    /// What a run has written; anything else in the folder belongs to the user.
    private static let runNames = [
        "config.json", "metrics.jsonl", "model.safetensors", "checkpoints", "log.txt",
        "workers", "journal.json", dataName, ledgerName, coordinatorName,
    ]

    /// Whether a folder at `path` may be used in `mode`; changes nothing.
    package func check(_ mode: Mode) throws(RunFolderError) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let holdsRun = names.contains("config.json")
        switch mode {
        case .begin:
            guard names.isEmpty else {
                throw RunFolderError(path: path, problem: holdsRun ? .exists : .notARun)
            }
        case .resume:
            guard holdsRun else { throw RunFolderError(path: path, problem: .nothingToResume) }
        case .overwrite:
            guard names.isEmpty || holdsRun else {
                throw RunFolderError(path: path, problem: .notARun)
            }
        }
    }

    /// Makes the folder ready for a run; with `overwrite` the files of the run in it are removed.
    /// - Parameter taskFiles: names of files that the run's task may have left there.
    package func prepare(_ mode: Mode, taskFiles: [String]) throws(RunFolderError) {
        try check(mode)
        let manager = FileManager.default
        do {
            if mode == .overwrite {
                for name in Self.runNames + taskFiles
                where manager.fileExists(atPath: "\(path)/\(name)") {
                    try manager.removeItem(atPath: "\(path)/\(name)")
                }
            }
            try manager.createDirectory(atPath: workersPath, withIntermediateDirectories: true)
        } catch {
            let reason = fileInTheWay.map { "\($0) is a file" } ?? Self.reason(of: error)
            throw RunFolderError(path: path, problem: .cannotCreate(reason: reason))
        }
    }

    /// The part of the path that exists and is no folder; Foundation does not say which it is.
    private var fileInTheWay: String? {
        var part = URL(fileURLWithPath: workersPath)
        while part.path != "/" {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: part.path, isDirectory: &isFolder) {
                return isFolder.boolValue ? nil : part.path
            }
            part.deleteLastPathComponent()
        }
        return nil
    }

    /// Takes back what `prepare` and the run have made, as far as that goes; the folder itself only
    /// if nothing else is in it and `includingFolder`.
    package func remove(includingFolder: Bool, taskFiles: [String]) {
        let manager = FileManager.default
        for name in Self.runNames + taskFiles {
            try? manager.removeItem(atPath: "\(path)/\(name)")
        }
        if includingFolder { rmdir(path) }
    }

    /// The error that a file of the folder cannot be written.
    package func cannotWrite(_ file: String, _ error: any Error) -> RunFolderError {
        RunFolderError(
            path: path, problem: .cannotWrite(file: file, reason: Self.reason(of: error)))
    }

    /// The kernel's words under Foundation's error, which has longer and vaguer ones of its own.
    package static func reason(of error: any Error) -> String {
        if let error = error as? CheckpointError { return error.reason }
        var current: NSError? = error as NSError
        while let candidate = current {
            if candidate.domain == NSPOSIXErrorDomain {
                return String(cString: strerror(Int32(candidate.code)))
            }
            current = candidate.userInfo[NSUnderlyingErrorKey] as? NSError
        }
        switch (error as? CocoaError)?.code {
        case .fileWriteNoPermission: return "permission denied"
        case .fileWriteVolumeReadOnly: return "read-only file system"
        case .fileWriteOutOfSpace: return "no space left on the disk"
        case .fileWriteFileExists: return "a file is in the way"
        case .fileNoSuchFile, .fileReadNoSuchFile: return "no such file"
        default: return error.localizedDescription
        }
    }
}
