// What can end a worker's part in a run from outside, as data: the code for the program, the
// message for people, the exit code for the parent process.

import ExitCodes
import WireFormat

/// A failed conversation with the coordinator, seen from a worker.
package struct RendezvousError: ExitCoded, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// The coordinator could not be reached.
        case unreachable
        /// The coordinator turned this worker away.
        case refused(Refusal.Reason)
        /// Not a failure as such: the worker has to start itself anew with this arithmetic.
        case restart(arithmetic: String)
        /// The connection was closed from the other side or broke.
        case coordinatorLost
        /// Nothing came from the coordinator for the heartbeat timeout.
        case coordinatorSilent
        /// The coordinator ended the run with this exit code.
        case aborted(exitCode: ExitCode)
        /// The other side does not speak this protocol.
        case protocolViolation
        /// What was waited for did not come before the deadline.
        case timedOut
        /// This side has closed the connection.
        case closed
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether the worker's part in the run may go on once a coordinator answers again, this one or
    /// one that takes its place.
    package var isPassing: Bool {
        switch code {
        case .unreachable, .coordinatorLost, .coordinatorSilent, .timedOut, .closed: true
        case .refused, .restart, .aborted, .protocolViolation: false
        }
    }

    package var exitCode: ExitCode {
        switch code {
        case .aborted(let exitCode): exitCode
        case .unreachable, .coordinatorLost, .coordinatorSilent, .timedOut: .peersLost
        case .refused, .restart, .protocolViolation, .closed: .failed
        }
    }
}
