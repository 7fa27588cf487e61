import RunFolders
import Launching
import Synchronization
import Training

/// Starts the processes of a run and looks after them.
package enum RunSupervisor {
    /// The run that receives the signals.
    private static let current = Mutex<Supervisor?>(nil)
    private static let isWatching = Mutex(false)

    /// Runs a coordinator and workers to the end of the last of them. One run at a time.
    ///
    /// - Parameters:
    ///   - coordinator: the arguments of the coordinator's process, without the program's name.
    ///   - successor: the arguments of a process that replaces a killed coordinator.
    ///   - folder: gets the workers' logs.
    ///   - relay: where workers on this machine connect instead of to the coordinator.
    package static func run(
        _ slots: WorkerSlots, program: RunningProgram, coordinator arguments: [String],
        successor successorArguments: [String], folder: RunFolder, relay: String? = nil
    ) throws(LaunchingError) -> Supervisor.Outcome {
        let supervisor = Supervisor()
        try watchSignals(for: supervisor)
        defer { current.withLock { $0 = nil } }
        func coordinator(at address: String, _ arguments: [String]) -> ChildProcess.Command {
            ChildProcess.Command(
                executable: program.executable,
                arguments: [program.name] + arguments + [
                    "--listen=\(address)", "--workers=\(slots.workerCount)",
                    "--announce=\(ChildProcess.announcementDescriptor)", "--lifeline",
                ], environment: program.environment, announces: true)
        }
        return try supervisor.run(
            coordinator: coordinator(at: slots.listenAddress, arguments),
            successor: { coordinator(at: $0, successorArguments) }
        ) { (announced) throws(LaunchingError) in
            try slots.launches(
                coordinator: announced, relay: relay,
                logPath: { folder.workerLogPath(slot: $0) })
        }
    }

    /// Signals can be taken over once; between runs they end the process.
    private static func watchSignals(for supervisor: Supervisor) throws(LaunchingError) {
        current.withLock { $0 = supervisor }
        let wasWatching = isWatching.withLock { isWatching in
            defer { isWatching = true }
            return isWatching
        }
        if wasWatching { return }
        try SignalWatch.start { number in
            guard let supervisor = current.withLock({ $0 }) else {
                ProcessExit.atOnce(bySignal: number)
            }
            supervisor.signalReceived()
        }
    }
}
