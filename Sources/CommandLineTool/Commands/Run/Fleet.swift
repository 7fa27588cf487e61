import Foundation
import Launching
import RunProcesses
import Transport

/// Which workers the options of `train` ask for.
enum Fleet {
    /// Reads `--workers`, `--hosts` and `--advertise`, and finds the routes to the hosts.
    static func places(_ arguments: ParsedArguments, threads: Int) throws -> WorkerPlaces {
        let program = RunningProgram(name: "rondo")
        let asked = try arguments.integer("workers", in: 1...1024)
        guard let path = arguments.text("hosts") else {
            if arguments.has("advertise") {
                throw UsageError("--advertise is for workers on other machines: give --hosts too")
            }
            return WorkerPlaces(local: asked ?? 1, program: program, threads: threads)
        }
        let file = try HostsFile.load(path: path)
        if let asked, asked > file.slotCount {
            throw UsageError(
                "--workers \(asked) is more than the \(file.slotCount) slots in \(path)")
        }
        let advertised = try arguments.text("advertise").map(checkedAddress)
        var places: [WorkerPlaces.Place] = []
        for host in file.hosts where places.count < asked ?? .max {
            let route = try advertised ?? RouteAddress.local(for: host)
            places += Array(
                repeating: WorkerPlaces.Place(host: host, route: route), count: host.slots)
        }
        places = Array(places.prefix(asked ?? places.count))
        let routes = RouteAddress.withoutLoopbackAmongOthers(places.map(\.route))
        return WorkerPlaces(
            zip(places, routes).map { WorkerPlaces.Place(host: $0.host, route: $1) },
            program: program, threads: threads)
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
