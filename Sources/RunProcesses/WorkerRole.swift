import Launching
import Training
import Transport
import WireFormat

/// A process that computes.
package struct WorkerRole {
    package var coordinator: SocketAddress
    /// The rank to ask for.
    package var slot: Int?
    package var hasLifeline: Bool

    package init(coordinator: SocketAddress, slot: Int?, hasLifeline: Bool) {
        self.coordinator = coordinator
        self.slot = slot
        self.hasLifeline = hasLifeline
    }

    /// Takes part in the run to its end and returns the exit code.
    package func play(_ parts: ProgramParts = .none) throws -> Int32 {
        if hasLifeline {
            Lifeline.watch {
                Console.error("the process that started this worker is gone")
                ProcessExit.atOnce(4)
            }
        } else {
            // Started by hand: Ctrl-C ends this worker, and the coordinator sees it leave. Under a
            // supervisor signals keep their default action, so that it can end a worker.
            try SignalWatch.start { _ in
                Console.error("interrupted; this worker leaves the run")
                ProcessExit.atOnce(130)
            }
        }
        return WorkerRun.run(
            options: WorkerOptions(
                coordinator: coordinator, slot: slot, productVersion: ProductVersion.current,
                log: { line in
                    let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
                    Console.errorText("rondo: \(text)")
                }), parts: parts)
    }
}
