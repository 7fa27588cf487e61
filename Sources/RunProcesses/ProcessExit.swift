import ExitCodes
import Glibc

/// Ends this process at once. The handlers of exit() would wait for threads that may be blocked.
package enum ProcessExit {
    package static func atOnce(_ code: ExitCode) -> Never { _exit(code.rawValue) }

    /// Ends with the code by which a shell reports a process that the signal killed.
    package static func atOnce(bySignal number: Int32) -> Never { _exit(128 + number) }
}
