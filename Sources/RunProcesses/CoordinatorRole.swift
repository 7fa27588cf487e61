import ExitCodes
import RunFolders
import Launching
import Configuration
import Learning
import Synchronization
import Training
import Transport

/// The coordinator's process.
package struct CoordinatorRole {
    package var configuration: RunConfiguration
    package var folder: RunFolder
    package var mode: RunFolder.Mode
    package var workerCount: Int
    package var listenAddress: SocketAddress
    /// The process that started this one; nil if a person did.
    package var parent: ParentLine?
    package var hasLifeline: Bool
    /// Whether progress is shown on standard error.
    package var showsProgress = true
    /// Whether the result goes to the parent instead of to standard output.
    package var sendsResultToParent = false

    package init(
        configuration: RunConfiguration, folder: RunFolder, mode: RunFolder.Mode, workerCount: Int,
        listenAddress: SocketAddress, parent: ParentLine?, hasLifeline: Bool
    ) {
        self.configuration = configuration
        self.folder = folder
        self.mode = mode
        self.workerCount = workerCount
        self.listenAddress = listenAddress
        self.parent = parent
        self.hasLifeline = hasLifeline
    }

    /// Coordinates the run to its end and returns the exit code.
    ///
    /// - Throws: the reason why the run could not begin.
    package func run(_ tasks: TaskList) throws -> ExitCode {
        if hasLifeline {
            // The workers have lifelines of their own, so they are ending too; nothing is left to
            // save.
            Lifeline.watch { ProcessExit.atOnce(.peersLost) }
        }
        let showsProgress = showsProgress
        let run = try CoordinatorRun(
            CoordinatorOptions(
                configuration: configuration, folder: folder, mode: mode, workerCount: workerCount,
                listenAddress: listenAddress, isTerminal: Console.isErrorATerminal,
                terminalWidth: Console.width),
            tasks: tasks,
            announce: { announcement in
                switch announcement {
                case .joined(let slot): parent?.send("joined \(slot)")
                case .listening(let address):
                    if let parent {
                        parent.send("listening \(address)")
                    } else {
                        Console.errorText(
                            Self.invitation(to: address, RouteAddress.ownAddresses()))
                    }
                }
            }, write: { text in if showsProgress { Console.progress(text) } })
        let stopper = SignalStopper(run)
        try SignalWatch.start { _ in stopper.signalled() }
        return report(run.run())
    }

    /// Tells a person how to start workers. A coordinator that listens on all addresses is reached
    /// through any one of them.
    package static func invitation(
        to address: SocketAddress, _ ownAddresses: [String], command: String = "rondo worker"
    ) -> String {
        guard address.isWildcard else {
            return "listening on \(address); start the workers with\n"
                + "  \(command) --coordinator \(address)"
        }
        let usable = ownAddresses.filter { address.isIPv6 || !$0.contains(":") }
        let list = usable.isEmpty ? "" : ": " + usable.joined(separator: ", ")
        return "listening on \(address); start the workers with\n"
            + "  \(command) --coordinator ADDRESS:\(address.port)\n"
            + "where ADDRESS is this machine's as all of them can reach it\(list)"
    }

    private func report(_ end: CoordinatorEnd) -> ExitCode {
        switch end {
        case .finished(let result): return report(result)
        case .stopped(let step, let checkpointStep):
            if let checkpointStep {
                Console.errorText(
                    "interrupted: saved after step \(checkpointStep) in \(folder.path)")
                if parent == nil { Console.errorText("go on with the same command and --resume") }
            } else {
                Console.errorText("interrupted after step \(step), before anything was saved")
                if parent == nil, (try? folder.check(.resume)) != nil {
                    Console.errorText("begin again with the same command and --resume")
                }
            }
            return .interrupted
        case .failed(let exitCode, let message):
            if let parent { parent.send("failed \(message)") } else { Console.error(message) }
            return exitCode
        }
    }

    private func report(_ result: RunResult) -> ExitCode {
        do {
            let line = try result.line()
            if sendsResultToParent {
                parent?.send(line)
                return .done
            }
            Console.output(line)
            guard let failure = Console.outputFailure else { return .done }
            // This is the only message of a finished run, so it must reach the user.
            if let parent { parent.send("failed \(failure)") } else { Console.error(failure) }
            return .failed
        } catch {
            Console.error("cannot write the result: \(error)")
            return .failed
        }
    }
}

/// The first signal asks the run to stop; a later one that is not its echo ends the process.
private final class SignalStopper: Sendable {
    private let run: CoordinatorRun
    private let requests = Mutex(StopRequests())

    init(_ run: CoordinatorRun) { self.run = run }

    func signalled() {
        switch requests.withLock({ $0.received(at: .now) }) {
        case .stop: run.requestStop(reason: "interrupted")
        case .echo: break
        case .endAtOnce: ProcessExit.atOnce(.interrupted)
        }
    }
}
