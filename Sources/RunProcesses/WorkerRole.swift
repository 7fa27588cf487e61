import ExitCodes
import Learning
import Launching
import Synchronization
import Training
import Transport
import WireFormat

/// A worker's process.
package struct WorkerRole {
    package var coordinator: SocketAddress
    /// The slot to take; nil takes the first free one.
    package var slot: Int?
    package var hasLifeline: Bool

    package init(coordinator: SocketAddress, slot: Int?, hasLifeline: Bool) {
        self.coordinator = coordinator
        self.slot = slot
        self.hasLifeline = hasLifeline
    }

    /// Takes part in the run to its end and returns the exit code.
    package func run(_ tasks: TaskList) throws -> ExitCode {
        let leave = LeaveSwitch()
        let run = WorkerRun(
            WorkerOptions(
                coordinator: coordinator, slot: slot, productVersion: ProductVersion.current,
                log: { line in
                    let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
                    Console.errorText("rondo: \(text)")
                }), tasks: tasks, leave: leave)
        if hasLifeline {
            Lifeline.watch {
                Console.error("the process that started this worker is gone")
                ProcessExit.atOnce(.peersLost)
            }
        }
        let requests = Mutex(StopRequests())
        try SignalWatch.start { _ in
            switch requests.withLock({ $0.received(at: .now) }) {
            case .stop: leave.requestLeave(reason: "it was asked to by a signal")
            case .echo: break
            case .endAtOnce: ProcessExit.atOnce(.interrupted)
            }
        }
        return run.run()
    }
}
