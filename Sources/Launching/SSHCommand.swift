// The ssh command that starts a worker on a host. It is the system's ssh, so the user's keys,
// aliases, jump hosts and known hosts work as they do by hand.

/// Builds command lines for ssh and for the shell at its other end.
package enum SSHCommand {
    /// The arguments that start `remote` on `host`, "ssh" first.
    package static func arguments(for host: HostsFile.Host, remote: [String]) -> [String] {
        // Nobody can answer a question here, and a dead connection must be noticed, not waited for.
        let options = [
            "BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3",
        ]
        let ours = options.flatMap { ["-o", $0] }
        return ["ssh", "-T"] + host.sshOptions + ours + ["--", host.name, remoteCommand(remote)]
    }

    /// One command for the host's shell. A shell stays beside the program, because ssh reports a
    /// program that a signal has killed like a broken connection, and a shell as 128 + the signal.
    /// The program's standard input is still the connection, so its end reaches the program.
    package static func remoteCommand(_ arguments: [String]) -> String {
        let command = arguments.map(quoted).joined(separator: " ")
        // Without a second command some shells would replace themselves by the program.
        return "exec sh -c " + quoted(command + "; exit $?")
    }

    /// An argument that a POSIX shell takes literally; a leading `~/` keeps its meaning.
    package static func quoted(_ argument: String) -> String {
        if argument.hasPrefix("~/") { return "~/" + quoted(String(argument.dropFirst(2))) }
        let plain = argument.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
                || "-_./:=,+@%[]".unicodeScalars.contains($0)
        }
        if plain, !argument.isEmpty, !argument.contains("[") { return argument }
        return "'"
            + argument.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }

    /// How the program on the host ended, read from ssh's own exit status: the remote shell reports
    /// a signal as a number above 128.
    package static func remoteEnd(of status: ProcessEnd) -> ProcessEnd {
        guard case .exited(let code) = status, (129...192).contains(code) else { return status }
        return .signalled(code - 128)
    }

    /// What an exit status of ssh says about the host; nil if it came from the worker.
    ///
    /// - Parameters:
    ///   - rondo: the program's path there.
    ///   - log: the last lines that the worker and ssh have written.
    package static func explanation(
        of status: ProcessEnd, rondo: String, log: [String]
    ) -> String? {
        // The worker's lines have this prefix; every other line is from ssh or the remote shell.
        let hasRun = log.contains { $0.hasPrefix("rondo: ") }
        let detail = log.last { !$0.hasPrefix("rondo: ") }.map { " (\($0))" } ?? ""
        return switch status {
        case .exited(255) where hasRun: "ssh lost the connection to it" + detail
        case .exited(255): "ssh could not reach it or was refused" + detail
        case .exited(127):
            "there is no program '\(rondo)'; set rondo=PATH in the file of hosts" + detail
        case .exited(126): "'\(rondo)' cannot be run there" + detail
        case .exited(0):
            "'\(rondo)' ended without taking part in the run; is it rondo? Set rondo=PATH in the "
                + "file of hosts"
        default: nil
        }
    }
}
