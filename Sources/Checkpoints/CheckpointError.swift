// What can go wrong with saved state, as data, and the one place that puts it into words.

import ExitCodes

/// Saved state that cannot be read or written; `description` is one line for the user.
public struct CheckpointError: ExitCoded, Equatable, Sendable {
    /// What went wrong with the file.
    public enum Problem: Equatable, Sendable {
        /// A system call failed, e.g. "create".
        case system(operation: String, code: Int32)
        /// Not safetensors; `byte` is where in the file.
        case malformed(what: String, byte: Int)
        case wrongSize(expected: Int, got: Int)
        case wrongDigest(expected: String, got: String)
        case badManifest(reason: String)
        case newerFormat(version: Int, known: Int)
        case badFileName(name: String)
        case noneUsable(warnings: [String])
        case invalidArray(name: String, reason: String)
    }

    /// The file or folder.
    public let path: String
    /// What went wrong with it.
    public let problem: Problem

    /// Bad data if the file is damaged, a failure if it could not be read or written.
    public var exitCode: ExitCode {
        switch problem {
        case .malformed, .wrongSize, .wrongDigest, .badManifest, .newerFormat, .noneUsable: .data
        case .system, .badFileName, .invalidArray: .failed
        }
    }

    /// An error about the file or folder at `path`.
    public init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }
}

extension CheckpointError: CustomStringConvertible {
    /// The line for the user.
    public var description: String { "\(path): \(reason)" }

    /// What went wrong, without the path.
    public var reason: String {
        switch problem {
        case .system(let operation, let code):
            return "cannot \(operation): \(FileAccess.words(code))"
        case .malformed(let what, let byte):
            return "not a valid safetensors file: \(what) at byte \(byte)"
        case .wrongSize(let expected, let got):
            return "damaged: expected \(expected) bytes, got \(got)"
        case .wrongDigest(let expected, let got):
            return "damaged: expected SHA-256 \(expected.prefix(16))..., got \(got.prefix(16))..."
        case .badManifest(let reason):
            return "damaged manifest: \(reason)"
        case .newerFormat(let version, let known):
            return "written in format \(version), this program knows up to \(known); "
                + "use the version of rondo that wrote it"
        case .badFileName(let name):
            return "\"\(name)\" cannot be the name of a checkpoint's file"
        case .noneUsable(let warnings):
            return "no usable checkpoint (" + warnings.joined(separator: "; ") + ")"
        case .invalidArray(let name, let reason):
            return "cannot store the array \"\(name)\": \(reason)"
        }
    }
}
