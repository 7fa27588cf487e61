import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    /// Workers started over ssh on "hosts" that are this machine's loopback addresses.
    @Suite(
        .serialized,
        .enabled(
            if: SecureShellServer.isInstalled,
            "there is no \(SecureShellServer.program): cluster/setup installs openssh-server"))
    struct Hosts {
        private func hosts(
            _ run: TestRun, _ server: SecureShellServer, rondo: String? = nil, key: String? = nil
        ) throws {
            // The program under a path that tells its processes from all others.
            let link = "\(run.folder)/rondo"
            try? FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: TestRun.executable)
            let options = server.clientOptions.replacingOccurrences(
                of: "user_key", with: key ?? "user_key")
            try run.write(
                """
                127.0.0.1 rondo=\(link) ssh="\(server.clientOptions)"
                127.0.0.2 rondo=\(rondo ?? link) ssh="\(options)"  # the second
                """, to: "hosts")
        }

        private func start(_ run: TestRun, _ more: String...) throws -> RunningProgram {
            try run.start(
                [
                    "train", run.configuration, "--hosts", "\(run.folder)/hosts", "--output",
                    "\(run.folder)/out",
                ] + more)
        }

        /// Remote processes hear of the end through their connection, a moment later.
        private func expectNothingLeft(_ run: TestRun, _ server: SecureShellServer) throws {
            try TestRun.wait("the end of all processes", seconds: 5) {
                run.processes().allSatisfy {
                    TestRun.arguments(of: $0).first?.contains("sshd") == true
                }
            }
        }

        @Test func twoHostsTrainToTheLocalModel() throws {
            let run = try TestRun()
            let server = try SecureShellServer(folder: run.folder)
            try hosts(run, server)
            let expected = try run.train("local", workers: 2).text("model_sha256")
            let program = try start(run)
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            #expect(try program.result().text("model_sha256") == expected)
            #expect(run.text("out/workers/worker-1.log").contains("rank 1 of 2"))
            try expectNothingLeft(run, server)
        }

        @Test func refusedKeyIsNamed() throws {
            let run = try TestRun()
            let server = try SecureShellServer(folder: run.folder)
            try hosts(run, server, key: "other_key")
            let program = try start(run)
            #expect(try program.end() == .exited(4))
            #expect(program.errors.count == 1)
            #expect(
                program.errors.first?.hasPrefix(
                    "worker 1 on host 127.0.0.2: ssh could not reach it or was refused")
                    == true, "\(program.errorText)")
            #expect(program.errorText.contains("Permission denied"))
            try expectNothingLeft(run, server)
        }

        @Test func unreachableHostIsNamed() throws {
            let run = try TestRun()
            let server = try SecureShellServer(folder: run.folder)
            try run.write(
                "127.0.0.3 rondo=x ssh=\"\(server.clientOptions)\"", to: "hosts")
            let program = try start(run)
            #expect(try program.end() == .exited(4))
            #expect(
                program.errors.first?.hasPrefix("worker 0 on host 127.0.0.3: ssh") == true)
            #expect(program.errorText.contains("Connection refused"))
            try expectNothingLeft(run, server)
        }

        @Test func hostWithoutTheProgramIsNamed() throws {
            let run = try TestRun()
            let server = try SecureShellServer(folder: run.folder)
            try hosts(run, server, rondo: "/no/such/rondo")
            let program = try start(run)
            #expect(try program.end() == .exited(4))
            #expect(program.errors.count == 1)
            #expect(
                program.errors.first?.hasPrefix(
                    "worker 1 on host 127.0.0.2: there is no program '/no/such/rondo'")
                    == true,
                "\(program.errorText)")
            try expectNothingLeft(run, server)
        }

        private static let steps = "steps: 6000"
        private static let quiet = "evaluation: { everyEpochs: 1000000 }, "

        /// Trains on the hosts, does something to the run in its midst and expects the undisturbed
        /// model.
        private func expectRecovery(
            after disturb: (TestRun, SecureShellServer) throws -> Void
        ) throws {
            let run = try TestRun(length: Self.steps, extra: Self.quiet)
            let server = try SecureShellServer(folder: run.folder)
            try hosts(run, server)
            let expected = try run.train("local", workers: 2).text("model_sha256")
            let program = try start(run)
            try run.waitForSteps(in: "out")
            try #require(!program.hasEnded, "the run was too short")
            try disturb(run, server)
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            #expect(try program.result().text("model_sha256") == expected)
            #expect(run.text("out/log.txt").contains(" lost worker "))
            try expectNothingLeft(run, server)
        }

        @Test func cutConnectionsAreMadeAgain() throws {
            try expectRecovery { _, server in server.cutConnections() }
        }

        @Test func killedRemoteWorkerIsStartedAgain() throws {
            try expectRecovery { run, _ in
                let victim = try #require(
                    run.processes().first { process in
                        let arguments = TestRun.arguments(of: process)
                        return arguments.first?.hasSuffix("/rondo") == true
                            && arguments.contains("--slot=1")
                    })
                kill(victim, SIGKILL)
            }
        }

        @Test func killedParentLeavesNoRemoteProcess() throws {
            let run = try TestRun(
                length: "steps: 1000000", extra: "evaluation: { everyEpochs: 1000000 }, ")
            let server = try SecureShellServer(folder: run.folder)
            try hosts(run, server)
            let program = try start(run, "--set", "checkpoint.everyEpochs=1000000")
            try run.waitForSteps(in: "out")
            program.signal(SIGKILL)
            #expect(try program.end() == .signalled(SIGKILL))
            try expectNothingLeft(run, server)
        }
    }
}
