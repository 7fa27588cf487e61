/// Starts workers on a host by ssh.
package struct SSHLauncher: Launcher {
    private let host: HostsFile.Host

    package init(_ host: HostsFile.Host) { self.host = host }

    package var hostName: String? { host.name }

    package func command(for worker: WorkerStart) -> ChildProcess.Command {
        // ssh does not carry an environment over, so the remote command sets it.
        let variables = worker.environment.elsewhere.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }
        return ChildProcess.Command(
            executable: "ssh",
            arguments: SSHCommand.arguments(
                for: host, remote: ["env"] + variables + [host.rondo] + worker.arguments),
            standardOutput: .appended(to: worker.logPath),
            standardError: .appended(to: worker.logPath))
    }

    package func workerEnd(_ commandEnd: ProcessEnd) -> ProcessEnd {
        SSHCommand.remoteEnd(of: commandEnd)
    }

    package func isLaunchFailure(_ commandEnd: ProcessEnd) -> Bool {
        guard case .exited(let code) = commandEnd else { return false }
        return [126, 127, 255].contains(code)
    }

    package func explanation(of commandEnd: ProcessEnd, log: [String]) -> String? {
        SSHCommand.explanation(of: commandEnd, rondo: host.rondo, log: log)
    }
}
