// How a process of this product ends, and how an error says which end it means. This is the ground
// floor: every target that defines an error may use it, and it uses nothing.

/// The exit codes of `rondo` and of programs that train with the library.
///
/// Scripts and schedulers decide by them whether to try again: another attempt may help after
/// `failed` and `peersLost`, but not after `usage` and `data`.
public enum ExitCode: Int32, Codable, Sendable, CaseIterable {
    /// What was asked for is done.
    case done = 0
    /// The run failed for a reason that no other code describes: a full disk, a diverged loss.
    case failed = 1
    /// The command line or the configuration is wrong; nothing was trained.
    case usage = 2
    /// A data file, a checkpoint or a model is missing, damaged or unsuitable.
    case data = 3
    /// Other processes or hosts that the run needs are gone for good.
    case peersLost = 4
    /// The other side does not accept this process' key.
    case notAuthorised = 5
    /// A signal asked for the end; `--resume` continues the run.
    case interrupted = 130

    /// The code of an error that reached the end of a process: its own, or `failed`.
    public init(of error: any Error) {
        self = (error as? any ExitCoded)?.exitCode ?? .failed
    }

    /// The code with which another process ended; `failed` for a number that is not in the list.
    public init(status: Int32) {
        self = ExitCode(rawValue: status) ?? .failed
    }
}

/// An error that knows how a process which it ends should exit.
public protocol ExitCoded: Error {
    /// What the process should exit with.
    var exitCode: ExitCode { get }
}
