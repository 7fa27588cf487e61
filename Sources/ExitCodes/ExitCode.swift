/// How a process of Rondo ends: the number that the process that started it reads.
package enum ExitCode: Int32, Sendable {
    case done = 0
    /// Something else went wrong: a full disk, a training that diverged.
    case failed = 1
    /// The command line or the configuration is wrong; another one would have gone well.
    case usage = 2
    /// A data file, or a file of a model, is missing, damaged or unsuitable.
    case data = 3
    /// Other processes of the run are lost for good.
    case peersLost = 4
    /// The other side did not accept this process as a member of the run.
    case notAuthorised = 5
    /// Ended by a signal from a person or a scheduler, with the state saved.
    case interrupted = 130
}

/// An error that can end a process, and knows how.
package protocol ExitCoded: Error {
    var exitCode: ExitCode { get }
}
