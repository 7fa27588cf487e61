// Where a run's workers are started, and the commands that start them. The program that is started is the
// one that runs: `rondo`, or a program of the library's user.

import RunFolders
import Foundation
import Launching
import Training
import Transport

/// The places of a run's workers.
package struct WorkerPlaces: Sendable {
    package struct Place: Sendable {
        package let host: HostsFile.Host?
        /// This machine's address as seen from there.
        package let route: String

        package init(host: HostsFile.Host?, route: String) {
            self.host = host
            self.route = route
        }
    }

    private let places: [Place]
    private let program: RunningProgram
    private let threads: Int

    /// - Parameter threads: of BLAS, per worker.
    package init(_ places: [Place], program: RunningProgram, threads: Int) {
        self.places = places
        self.program = program
        self.threads = threads
    }

    /// Workers on this machine.
    package init(local count: Int, program: RunningProgram, threads: Int) {
        self.init(
            Array(repeating: Place(host: nil, route: "127.0.0.1"), count: count),
            program: program, threads: threads)
    }

    package var workerCount: Int { places.count }

    /// Loopback when nobody else needs to reach the coordinator, else all addresses: hosts may see
    /// this machine under different ones.
    package var listenAddress: String {
        let routes = Set(places.map(\.route))
        if routes.allSatisfy({ RouteAddress.isLoopback($0) && !$0.contains(":") }) {
            return "127.0.0.1:0"
        }
        if routes == ["::1"] { return "[::1]:0" }
        return routes.contains { $0.contains(":") } ? "[::]:0" : "0.0.0.0:0"
    }

    /// What a worker on another machine is started with. Its processor may be another one, so it
    /// chooses its arithmetic itself, unless the user has chosen one here.
    private var remoteEnvironment: [String] {
        let chosen = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"]
        return ["env", "OPENBLAS_NUM_THREADS=\(threads)"]
            + program.environment.map { "\($0.key)=\($0.value)" }
            + (chosen.map { ["OPENBLAS_CORETYPE=\($0)"] } ?? [])
    }

    /// The workers for a coordinator that listens on the port of `address`.
    ///
    /// - Parameter relay: where workers on this machine reach it instead; nil is there itself.
    func launches(
        coordinator address: String, folder: RunFolder, relay: String?
    ) throws(LaunchingError) -> [Supervisor.WorkerLaunch] {
        guard let port = try? SocketAddress.parse(address).port else {
            throw .notAnnounced(reason: "it listens on '\(address)', which is no address")
        }
        let isWhollyLocal = places.allSatisfy { $0.host == nil }
        let cores =
            isWhollyLocal
            ? ProcessorCores.shares(workers: places.count, threads: threads) : nil
        return places.enumerated().map { slot, place in
            let host = place.route.contains(":") ? "[\(place.route)]" : place.route
            let reached = (place.host == nil ? relay : nil) ?? "\(host):\(port)"
            let words = ["worker", "--coordinator=\(reached)", "--slot=\(slot)", "--lifeline"]
            let log = folder.workerLogPath(slot: slot)
            var command = ChildProcess.Command(
                executable: program.executable, arguments: [program.name] + words,
                environment: ProcessArithmetic.environment(threads: threads)
                    .merging(program.environment) { $1 },
                standardOutput: .appended(to: log), standardError: .appended(to: log),
                cores: cores?[slot])
            if let remote = place.host {
                command.executable = "ssh"
                command.arguments = SSHCommand.arguments(
                    for: remote, remote: remoteEnvironment + [remote.rondo] + words)
                command.environment = [:]
            }
            return Supervisor.WorkerLaunch(
                slot: slot, host: place.host, command: command, logPath: log)
        }
    }
}

/// The program whose processes a run consists of.
package struct RunningProgram: Sendable {
    /// The first word of its processes' command lines.
    package let name: String
    package let executable: String
    /// What its child processes find in their environment.
    package let environment: [String: String]

    /// The program of this process.
    package init(name: String, environment: [String: String] = [:]) {
        self.name = name
        let link = "/proc/self/exe"
        executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link
        // A trap's one line, "Fatal error: ...", shall be the end of a log, and a signal shall kill;
        // Swift's own crash handler writes pages of registers and outlives some signals.
        let chosen = ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"]
        self.environment = environment.merging(["SWIFT_BACKTRACE": chosen ?? "enable=no"]) { $1 }
    }
}
