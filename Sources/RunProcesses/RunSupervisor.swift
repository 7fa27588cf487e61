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
    ///   - folder: gets the workers' logs.
    package static func run(
        _ places: WorkerPlaces, program: RunningProgram, coordinator words: [String],
        folder: RunFolder
    ) throws(LaunchingError) -> Supervisor.Outcome {
        let supervisor = Supervisor()
        try watchSignals(for: supervisor)
        defer { current.withLock { $0 = nil } }
        return try supervisor.run(
            coordinator: ChildProcess.Command(
                executable: program.executable,
                arguments: [program.name] + words + [
                    "--listen=\(places.listenAddress)", "--workers=\(places.workerCount)",
                    "--announce=\(ChildProcess.announcementDescriptor)", "--lifeline",
                ], environment: program.environment, announces: true)
        ) { (announced) throws(LaunchingError) in
            try places.launches(coordinator: announced, folder: folder)
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
                ProcessExit.atOnce(128 + number)
            }
            supervisor.signalReceived()
        }
    }
}
