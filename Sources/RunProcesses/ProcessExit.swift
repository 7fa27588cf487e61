import ExitCodes
import Glibc

/// Ends this process without waiting for threads that may be blocked for good, as the handlers of
/// exit() would.
package enum ProcessExit {
    package static func atOnce(_ code: ExitCode) -> Never { _exit(code.rawValue) }

    /// Ends as a shell reports a process that the signal has killed.
    package static func atOnce(bySignal number: Int32) -> Never { _exit(128 + number) }
}
