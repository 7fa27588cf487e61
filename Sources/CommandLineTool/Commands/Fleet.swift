import Foundation
import Launching
import RunConfiguration
import Training
import Transport

/// Which workers a training run has, where they run, and the commands that start them.
struct Fleet {
    private struct Place {
        let host: HostsFile.Host?
        /// This machine's address as seen from there.
        let route: String
    }

    private let places: [Place]
    private let threads: Int

    static let ownExecutable = "/proc/self/exe".resolvingLink

    /// Reads `--workers`, `--hosts` and `--advertise`, and finds the routes to the hosts.
    init(_ arguments: ParsedArguments, threads: Int) throws {
        self.threads = threads
        let asked = try arguments.integer("workers", in: 1...1024)
        guard let path = arguments.text("hosts") else {
            if arguments.has("advertise") {
                throw UsageError("--advertise is for workers on other machines: give --hosts too")
            }
            places = Array(
                repeating: Place(host: nil, route: "127.0.0.1"), count: asked ?? 1)
            return
        }
        let file = try HostsFile.load(path: path)
        if let asked, asked > file.slotCount {
            throw UsageError(
                "--workers \(asked) is more than the \(file.slotCount) slots in \(path)")
        }
        let advertised = try arguments.text("advertise").map(Self.checkedAddress)
        var places: [Place] = []
        for host in file.hosts where places.count < asked ?? .max {
            let route = try advertised ?? RouteAddress.local(for: host)
            places += Array(repeating: Place(host: host, route: route), count: host.slots)
        }
        places = Array(places.prefix(asked ?? places.count))
        let routes = RouteAddress.withoutLoopbackAmongOthers(places.map(\.route))
        self.places = zip(places, routes).map { Place(host: $0.host, route: $1) }
    }

    /// The numeric form of `--advertise`.
    private static func checkedAddress(_ text: String) throws(UsageError) -> String {
        guard let address = try? SocketAddress.resolve(host: text, port: 1).first,
            !address.isWildcard
        else {
            throw UsageError(
                "--advertise must be an address of this machine without a port, got '\(text)'")
        }
        return address.host
    }

    var workerCount: Int { places.count }

    /// Loopback when nobody else needs to reach the coordinator, else all addresses: hosts may see
    /// this machine under different ones.
    var listenAddress: String {
        let routes = Set(places.map(\.route))
        if routes.allSatisfy({ RouteAddress.isLoopback($0) && !$0.contains(":") }) {
            return "127.0.0.1:0"
        }
        if routes == ["::1"] { return "[::1]:0" }
        return routes.contains { $0.contains(":") } ? "[::]:0" : "0.0.0.0:0"
    }

    /// A trap's one line, "Fatal error: ...", shall be the end of a log, and a signal shall kill;
    /// Swift's own crash handler writes pages of registers and outlives some signals.
    var crashEnvironment: [String: String] {
        let chosen = ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"]
        return ["SWIFT_BACKTRACE": chosen ?? "enable=no"]
    }

    /// What a worker on another machine is started with. Its processor may be another one, so it
    /// chooses its arithmetic itself, unless the user has chosen one here.
    private var remoteEnvironment: [String] {
        let chosen = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"]
        return ["env", "OPENBLAS_NUM_THREADS=\(threads)"]
            + crashEnvironment.map { "\($0.key)=\($0.value)" }
            + (chosen.map { ["OPENBLAS_CORETYPE=\($0)"] } ?? [])
    }

    /// The workers for a coordinator that listens on the port of `address`.
    ///
    /// - Parameter relay: where workers on this machine reach it instead; nil is there itself.
    func launches(
        coordinator address: String, folder: RunFolder, relay: String? = nil
    ) throws(LaunchingError) -> [Supervisor.WorkerLaunch] {
        guard let port = try? SocketAddress.parse(address).port else {
            throw .notAnnounced(reason: "it listens on '\(address)', which is no address")
        }
        return places.enumerated().map { slot, place in
            let host = place.route.contains(":") ? "[\(place.route)]" : place.route
            let reached = place.host == nil ? relay : nil
            let words = [
                "worker", "--coordinator=\(reached ?? "\(host):\(port)")", "--slot=\(slot)",
                "--lifeline",
            ]
            let log = folder.workerLogPath(slot: slot)
            var command = ChildProcess.Command(
                executable: Self.ownExecutable, arguments: ["rondo"] + words,
                environment: ProcessArithmetic.environment(threads: threads)
                    .merging(crashEnvironment) { $1 },
                standardOutput: .appended(to: log), standardError: .appended(to: log))
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

extension String {
    /// Where a symbolic link leads; itself when it is none.
    fileprivate var resolvingLink: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: self)) ?? self
    }
}
