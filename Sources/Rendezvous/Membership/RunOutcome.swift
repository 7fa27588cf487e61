import ExitCodes
import WireFormat

/// How a run ended. `peakResidentBytes` of a report is the largest of all workers.
package enum RunOutcome: Hashable, Sendable {
    case finished(FinishedReport)
    case stopped(FinishedReport)
    case failed(exitCode: ExitCode, message: String)
}
