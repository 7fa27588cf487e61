// The ssh command that starts a worker on a host. Everything goes through the system's ssh, so the
// user's keys, aliases, jump hosts and known hosts work as they do by hand.

/// Builds command lines for ssh and for the shell at its other end.
package enum SSHCommand {
    /// The arguments that start `remote` on `host`, "ssh" first.
    package static func arguments(for host: HostsFile.Host, remote: [String]) -> [String] {
        // No question can be answered here; and a dead connection must be found, not waited on.
        let options = [
            "BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3",
        ]
        let ours = options.flatMap { ["-o", $0] }
        return ["ssh", "-T"] + host.sshOptions + ours + ["--", host.name, remoteCommand(remote)]
    }

    /// One command for the host's shell, which is replaced by it, so that the end of the connection
    /// reaches the program and not a shell in between.
    package static func remoteCommand(_ words: [String]) -> String {
        "exec " + words.map(quoted).joined(separator: " ")
    }

    /// A word that a POSIX shell takes literally; a leading `~/` keeps its meaning.
    package static func quoted(_ word: String) -> String {
        if word.hasPrefix("~/") { return "~/" + quoted(String(word.dropFirst(2))) }
        let plain = word.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
                || "-_./:=,+@%[]".unicodeScalars.contains($0)
        }
        if plain, !word.isEmpty, !word.contains("[") { return word }
        return "'"
            + word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }

    /// What an exit status of ssh says about the host, in words, or nil if it came from the worker.
    ///
    /// - Parameter rondo: the program's path there.
    package static func explanation(of status: ProcessEnd, rondo: String) -> String? {
        switch status {
        case .exited(255): "ssh could not reach it, was refused or lost the connection"
        case .exited(127): "there is no program '\(rondo)'; set rondo=PATH in the file of hosts"
        case .exited(126): "'\(rondo)' cannot be run there"
        default: nil
        }
    }
}
