import Launching
import RunProcesses
import Transport

/// The slots that the options of `rondo train` ask for. This is the only place that chooses how
/// workers are launched.
enum RequestedSlots {
    /// Reads `--workers`, `--hosts` and `--advertise`, and finds the routes to the hosts.
    static func read(_ arguments: ParsedArguments, threads: Int) throws -> WorkerSlots {
        let program = RunningProgram(name: "rondo")
        let workerCount = try arguments.integer("workers", in: 1...1024)
        if let path = arguments.text("hosts") {
            return WorkerSlots(
                try onHosts(of: path, workerCount, arguments), program: program, threads: threads)
        }
        if arguments.has("advertise") {
            throw UsageError("--advertise is for workers on other machines: give --hosts too")
        }
        return WorkerSlots(local: workerCount ?? 1, program: program, threads: threads)
    }

    private static func onHosts(
        of path: String, _ workerCount: Int?, _ arguments: ParsedArguments
    ) throws -> [WorkerSlots.Slot] {
        let file = try HostsFile.load(path: path)
        if let workerCount, workerCount > file.slotCount {
            throw UsageError(
                "--workers \(workerCount) is more than the \(file.slotCount) slots in \(path)")
        }
        let advertised = try arguments.text("advertise").map(checkedAddress)
        var slots: [WorkerSlots.Slot] = []
        for host in file.hosts where slots.count < workerCount ?? .max {
            let route = try advertised ?? RouteAddress.local(for: host)
            slots += Array(repeating: .init(SSHLauncher(host), route: route), count: host.slots)
        }
        slots = Array(slots.prefix(workerCount ?? slots.count))
        let routes = RouteAddress.withoutLoopbackAmongOthers(slots.map(\.route))
        return zip(slots, routes).map { WorkerSlots.Slot($0.launcher, route: $1) }
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
}
