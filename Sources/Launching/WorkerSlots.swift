import Foundation
import Transport

/// The slots of a run: the places where `rondo train` keeps a worker running.
package struct WorkerSlots: Sendable {
    package struct Slot: Sendable {
        package let launcher: any Launcher
        /// This machine's address as the worker reaches it.
        package let route: String

        package init(_ launcher: any Launcher, route: String) {
            self.launcher = launcher
            self.route = route
        }

        /// A slot on this machine.
        package static let local = Slot(LocalLauncher(), route: "127.0.0.1")
    }

    private let slots: [Slot]
    private let program: RunningProgram
    private let threads: Int
    private let environment: WorkerEnvironment

    /// - Parameter threads: BLAS threads per worker.
    package init(
        _ slots: [Slot], program: RunningProgram, threads: Int, environment: WorkerEnvironment
    ) {
        self.slots = slots
        self.program = program
        self.threads = threads
        self.environment = environment
    }

    package var workerCount: Int { slots.count }

    /// Where the coordinator listens: on loopback if all workers reach it there, otherwise on all
    /// addresses, because hosts may see this machine under different ones.
    package var listenAddress: String {
        let routes = Set(slots.map(\.route))
        if routes.allSatisfy({ RouteAddress.isLoopback($0) && !$0.contains(":") }) {
            return "127.0.0.1:0"
        }
        if routes == ["::1"] { return "[::1]:0" }
        return routes.contains { $0.contains(":") } ? "[::]:0" : "0.0.0.0:0"
    }

    /// The workers for a coordinator that listens on the port of `address`.
    ///
    /// - Parameters:
    ///   - relay: where workers on this machine connect instead of to the coordinator.
    ///   - logPath: the log file of the worker in a slot.
    package func launches(
        coordinator address: String, relay: String?, logPath: (_ slot: Int) -> String
    ) throws(LaunchingError) -> [Supervisor.WorkerLaunch] {
        guard let port = try? SocketAddress.parse(address).port else {
            throw .notAnnounced(reason: "it listens on '\(address)', which is no address")
        }
        let isWhollyLocal = slots.allSatisfy { $0.launcher.isLocal }
        let cores =
            isWhollyLocal ? ProcessorCores.shares(workers: slots.count, threads: threads) : nil
        return slots.enumerated().map { number, slot in
            let host = slot.route.contains(":") ? "[\(slot.route)]" : slot.route
            let coordinator = (slot.launcher.isLocal ? relay : nil) ?? "\(host):\(port)"
            let start = WorkerStart(
                slot: number, program: program,
                arguments: [
                    "worker", "--coordinator=\(coordinator)", "--slot=\(number)", "--lifeline",
                ], environment: environment, cores: cores?[number], logPath: logPath(number))
            return Supervisor.WorkerLaunch(
                slot: number, launcher: slot.launcher,
                command: slot.launcher.command(for: start), logPath: start.logPath)
        }
    }
}
