// How the workers of a run are started: on this machine, on a host by ssh, or by a scheduler. Each
// way is a type in a file of its own. The command line chooses among them in one place,
// RequestedSlots.

/// A worker to be started, and what a launcher may need to know about it.
package struct WorkerStart: Sendable {
    package var slot: Int
    package var program: RunningProgram
    /// The worker's arguments, without the program's name.
    package var arguments: [String]
    package var environment: WorkerEnvironment
    /// The cores of this machine that it may use; nil leaves them to the operating system.
    package var cores: [Int]?
    /// The file that gets the worker's standard output and standard error.
    package var logPath: String
}

/// The environment variables of a worker, by the machine it runs on.
package struct WorkerEnvironment: Sendable {
    /// On this machine; they choose the arithmetic of its processor.
    package var here: [String: String]
    /// On another machine, whose processor may differ; there the worker chooses its arithmetic.
    package var elsewhere: [String: String]

    package init(here: [String: String], elsewhere: [String: String]) {
        self.here = here
        self.elsewhere = elsewhere
    }
}

/// A way to start workers.
package protocol Launcher: Sendable {
    /// The machine that the workers run on, for messages; nil is this machine.
    var hostName: String? { get }

    /// The command that starts a worker. It runs on this machine and ends when the worker ends.
    ///
    /// The end of its standard input must reach the worker: it tells the worker that the supervisor
    /// is gone. A command that cannot start its worker exits with 126, 127 or 255, as shells and
    /// ssh do; such a worker is not started again unless it has taken part in the run before.
    func command(for worker: WorkerStart) -> ChildProcess.Command

    /// How the worker ended, given how the command ended.
    func workerEnd(_ commandEnd: ProcessEnd) -> ProcessEnd

    /// Whether the command ended because of the way to the worker, not because of the worker.
    func isLaunchFailure(_ commandEnd: ProcessEnd) -> Bool

    /// Why the command ended, if this way to start workers can tell; nil if the worker's log can.
    ///
    /// - Parameter log: the last lines that the command and the worker have written.
    func explanation(of commandEnd: ProcessEnd, log: [String]) -> String?
}

extension Launcher {
    /// Whether the workers run on this machine.
    var isLocal: Bool { hostName == nil }
}

/// Starts workers on this machine.
package struct LocalLauncher: Launcher {
    package init() {}

    package var hostName: String? { nil }

    package func command(for worker: WorkerStart) -> ChildProcess.Command {
        ChildProcess.Command(
            executable: worker.program.executable,
            arguments: [worker.program.name] + worker.arguments,
            environment: worker.environment.here, standardOutput: .appended(to: worker.logPath),
            standardError: .appended(to: worker.logPath), cores: worker.cores)
    }

    package func workerEnd(_ commandEnd: ProcessEnd) -> ProcessEnd { commandEnd }

    package func isLaunchFailure(_ commandEnd: ProcessEnd) -> Bool { false }

    package func explanation(of commandEnd: ProcessEnd, log: [String]) -> String? { nil }
}
