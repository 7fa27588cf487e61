import Transport

/// What the command line tells a worker; everything else comes from the coordinator.
package struct WorkerOptions: Sendable {
    package var coordinator: SocketAddress
    /// The rank asked for, so that log names and ranks agree; nil takes the first free rank.
    package var slot: Int?

    package init(coordinator: SocketAddress, slot: Int?) {
        self.coordinator = coordinator
        self.slot = slot
    }
}

package enum WorkerRun {
    /// Joins the coordinator, trains to the end of the run and returns the exit code.
    package static func run(options: WorkerOptions) -> Int32 { 1 }
}
