// What can go wrong before and while processes are started, as data. The messages are in one place.

import ExitCodes
import Glibc

/// A process, a host or a file of hosts that cannot be used.
package enum LaunchingError: ExitCoded, Equatable, Sendable {
    /// A system call failed while `subject` was started or looked after.
    case system(subject: String, operation: String, errorNumber: Int32)
    /// A line of a hosts file is wrong.
    case hostsFile(path: String, line: Int, problem: String)
    /// A hosts file could not be read or names no hosts.
    case hostsFileUnusable(path: String, reason: String)
    /// No route leads to the host.
    case noRoute(host: String, reason: String)
    /// The host's name is not known here.
    case unknownHost(host: String, reason: String)
    /// The coordinator did not say where it listens.
    case notAnnounced(reason: String)

    package var exitCode: ExitCode {
        switch self {
        case .hostsFile, .hostsFileUnusable: .usage
        case .noRoute, .unknownHost: .peersLost
        case .system, .notAnnounced: .failed
        }
    }
}

extension LaunchingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .system(let subject, let operation, let errorNumber):
            let reason = strerror(errorNumber).map { String(cString: $0) } ?? "error \(errorNumber)"
            return "\(subject): cannot \(operation): \(reason)"
        case .hostsFile(let path, let line, let problem):
            return "\(path):\(line): \(problem)"
        case .hostsFileUnusable(let path, let reason):
            return "\(path): \(reason); cluster/hosts.example shows how to write one"
        case .noRoute(let host, let reason):
            return "host \(host): \(reason); --advertise ADDRESS names this machine's address"
        case .unknownHost(let host, let reason):
            return
                "host \(host): \(reason); check the name in the file of hosts (if only a jump host "
                + "knows it, --advertise ADDRESS names this machine's address)"
        case .notAnnounced(let reason):
            return "the coordinator did not start: \(reason)"
        }
    }
}
