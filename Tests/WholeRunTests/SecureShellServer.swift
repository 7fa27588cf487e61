// An sshd of the test's own: a loopback port, keys made for this one test, no password, nothing of
// the machine's configuration. It runs in the foreground as a child and ends with the test.

import Foundation
import Glibc
import Launching
import Testing

final class SecureShellServer {
    static let program = "/usr/sbin/sshd"

    let folder: String
    let port: Int
    /// What the file of hosts says in `ssh="..."`.
    let clientOptions: String
    private let process: ChildProcess

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    init(folder: String) throws {
        self.folder = folder
        for key in ["host_key", "user_key", "other_key"] {
            try Self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(key)")
        }
        try FileManager.default.copyItem(
            atPath: "\(folder)/user_key.pub", toPath: "\(folder)/authorized_keys")
        // sshd insists on this folder when it is started by root.
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        port = try Self.freePort()
        let configuration = """
            Port \(port)
            ListenAddress 127.0.0.1
            ListenAddress 127.0.0.2
            HostKey \(folder)/host_key
            AuthorizedKeysFile \(folder)/authorized_keys
            PidFile none
            StrictModes no
            UsePAM no
            PermitRootLogin yes
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(folder)/sshd_config"))
        clientOptions =
            "-F /dev/null -p \(port) -i \(folder)/user_key -o IdentitiesOnly=yes "
            + "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        let log = "\(folder)/sshd.log"
        process = try ChildProcess(
            name: "sshd",
            .init(
                executable: Self.program,
                arguments: [Self.program, "-D", "-e", "-f", "\(folder)/sshd_config"],
                standardOutput: .appended(to: log), standardError: .appended(to: log))
        ) { _, _ in }
        try TestRun.wait("sshd on port \(port)") {
            try #require(process.status == nil, "sshd ended; see \(log)")
            return (try? Stranger(port: port, bytes: [])) != nil
        }
    }

    deinit { process.signalGroup(SIGKILL) }

    /// Ends the sessions, not the server: what a broken network looks like from both sides.
    func cutConnections() {
        for process in Self.descendants(of: process.processID)
        where TestRun.arguments(of: process).first?.hasPrefix("sshd") == true {
            kill(process, SIGKILL)
        }
    }

    private static func descendants(of root: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        var parents: [pid_t: pid_t] = [:]
        for name in names {
            guard let process = pid_t(name),
                let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { continue }
            // Behind the name in parentheses: state, parent.
            let fields = text[text.index(after: end)...].split(separator: " ")
            parents[process] = fields.count > 1 ? pid_t(fields[1]) : nil
        }
        return parents.keys.filter { process in
            var current = parents[process]
            while let ancestor = current, ancestor > 1 {
                if ancestor == root { return true }
                current = parents[ancestor]
            }
            return false
        }
    }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments)")
    }

    /// sshd does not take port 0, so the system is asked for a port just before.
    private static func freePort() throws -> Int {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let succeeded = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(succeeded)
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}
