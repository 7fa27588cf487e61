// Signals as ordinary events: they are blocked in every thread and taken off by one thread with
// sigwait, so that no code ever runs inside a signal handler.

import Foundation
import Glibc

/// Hands SIGINT, SIGTERM and SIGHUP to a closure on a thread of its own.
package enum SignalWatch {
    /// Blocks the signals in this thread and in all threads that are started after it. To be called
    /// in `main` before any other thread exists.
    package static func block() {
        var signals = watched
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Starts the thread that waits for the signals, for as long as the process lives.
    package static func start(_ onSignal: @escaping @Sendable (Int32) -> Void) {
        let thread = Thread {
            var signals = watched
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            while true {
                var number: Int32 = 0
                if sigwait(&signals, &number) == 0 { onSignal(number) }
            }
        }
        thread.stackSize = 128 * 1024
        thread.start()
    }

    private static var watched: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        return signals
    }
}
