import Launching
import Synchronization
import Training

/// Starts the processes of a run and looks after them.
package enum RunSupervisor {
    /// The run that signals are for.
    private static let current = Mutex<Supervisor?>(nil)
    private static let isWatching = Mutex(false)

    /// Runs a coordinator and workers to the end of the last of them. One run at a time.
    ///
    /// - Parameters:
    ///   - coordinator: the words after the program's name that make it a coordinator.
    ///   - successor: the same for one that takes the place of a coordinator that was killed.
    ///   - folder: gets the workers' logs.
    ///   - relay: where workers on this machine reach the coordinator; nil is there itself.
    package static func run(
        _ places: WorkerPlaces, program: RunningProgram, coordinator words: [String],
        successor successorWords: [String], folder: RunFolder, relay: String? = nil
    ) throws(LaunchingError) -> Supervisor.Outcome {
        let supervisor = Supervisor()
        try watchSignals(for: supervisor)
        defer { current.withLock { $0 = nil } }
        func coordinator(at address: String, _ words: [String]) -> ChildProcess.Command {
            ChildProcess.Command(
                executable: program.executable,
                arguments: [program.name] + words + [
                    "--listen=\(address)", "--workers=\(places.workerCount)",
                    "--announce=\(ChildProcess.announcementDescriptor)", "--lifeline",
                ], environment: program.environment, announces: true)
        }
        return try supervisor.run(
            coordinator: coordinator(at: places.listenAddress, words),
            successor: { coordinator(at: $0, successorWords) }
        ) { (announced) throws(LaunchingError) in
            try places.launches(coordinator: announced, folder: folder, relay: relay)
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
