// Signals as ordinary events: the handler only writes the signal's number into a pipe, and a thread
// that reads the pipe does the rest outside of any signal handler.
//
// Blocking the signals and taking them with sigwait would be shorter, but a signal then goes to any
// thread that does not block it, and OpenBLAS has started threads of its own before `main` runs.

import Foundation
import Glibc
import Synchronization

/// Where the handler writes. Set before the handler is installed, and constant from then on.
private let signalPipeWriteEnd = Atomic<Int32>(-1)

/// Hands SIGINT, SIGTERM and SIGHUP to a closure on a thread of its own.
package enum SignalWatch {
    /// Takes the signals over for as long as the process lives. To be called once.
    package static func start(
        _ onSignal: @escaping @Sendable (Int32) -> Void
    ) throws(LaunchingError) {
        let pipe = try Pipe(for: "signals")
        // A handler must not wait. A full pipe already holds more signals than anybody needs.
        _ = fcntl(pipe.writeEnd, F_SETFL, O_NONBLOCK)
        signalPipeWriteEnd.store(pipe.writeEnd, ordering: .sequentiallyConsistent)
        let thread = Thread {
            var number: UInt8 = 0
            while retryingInterrupts({ read(pipe.readEnd, &number, 1) }) == 1 {
                onSignal(Int32(number))
            }
        }
        thread.stackSize = 128 * 1024
        thread.start()
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let code = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(signalPipeWriteEnd.load(ordering: .relaxed), &byte, 1)
                errno = code
            }
            action.sa_flags = SA_RESTART
            guard sigaction(number, &action, nil) == 0 else {
                throw .system(subject: "signals", operation: "watch", errorNumber: errno)
            }
        }
    }
}
