// Hosts behind a program that stands in for ssh: every name is its own address and every command
// runs here. So a machine with a network address of its own is two kinds of host at once, and a
// connection can be made to hang.

import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    @Suite(.serialized) struct StandInSSH {
        private func start(
            _ run: TestRun, hosts: String, command: String = "exec /bin/sh -c \"$last\""
        ) throws -> RunningProgram {
            try run.write(hosts, to: "hosts")
            try run.write(
                """
                #!/bin/sh
                for last; do :; done
                if [ "$1" = -G ]; then echo "hostname $last"; exit; fi
                \(command)
                """, to: "ssh")
            chmod("\(run.folder)/ssh", 0o755)
            let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
            return try run.start(
                [
                    "train", run.configuration, "--hosts", "\(run.folder)/hosts", "--output",
                    "\(run.folder)/out",
                ], environment: ["PATH": "\(run.folder):\(path)"])
        }

        @Test(
            .enabled(
                if: !RouteAddress.ownAddresses().isEmpty,
                "this machine has no address other than loopback"))
        func loopbackNameBesideANetworkAddress() throws {
            let run = try TestRun()
            let expected = try run.train("local", workers: 2).text("model_sha256")
            let own = try #require(RouteAddress.ownAddresses().first)
            let program = try start(
                run,
                hosts: """
                    127.0.0.1 rondo=\(TestRun.executable)
                    \(own) rondo=\(TestRun.executable)
                    """)
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            #expect(try program.result().text("model_sha256") == expected)
        }

        @Test func unknownNameIsNamedAtOnce() throws {
            let run = try TestRun()
            let program = try start(run, hosts: "no-such-host.invalid")
            #expect(try program.end() == .exited(4))
            #expect(program.errors.count == 1)
            #expect(program.errors.first?.contains("check the name in the file of hosts") == true)
            #expect(!FileManager.default.fileExists(atPath: "\(run.folder)/out"))
        }

        @Test func interruptBeforeTheFirstStepSaysHowToGoOn() throws {
            let run = try TestRun()
            // A connection that neither works nor breaks; it ends with its input.
            let program = try start(run, hosts: "127.0.0.1", command: "exec cat")
            try TestRun.wait("the worker's log") {
                FileManager.default.fileExists(atPath: "\(run.folder)/out/workers/worker-0.log")
            }
            program.signal(SIGINT)
            #expect(try program.end() == .exited(130))
            #expect(program.errors == [])
            #expect(program.errorText.contains("go on with: rondo train "), "\(program.errorText)")
            #expect(program.errorText.contains(" --resume"))
            #expect(run.processes() == [])
        }
    }
}
