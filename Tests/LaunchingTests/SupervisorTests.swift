import Foundation
import Glibc
import Launching
import Testing

/// Real processes under a supervisor, with shell scripts in the place of rondo.
@Suite struct SupervisorTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "/rondo-supervisor-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    private func shell(_ script: String, log: String? = nil) -> ChildProcess.Command {
        .init(
            executable: "/bin/sh", arguments: ["sh", "-c", script],
            standardOutput: log.map { .appended(to: $0) } ?? .inherited,
            standardError: log.map { .appended(to: $0) } ?? .inherited, announces: log == nil)
    }

    private func run(
        coordinator: String, workers: [String], host: HostsFile.Host? = nil,
        supervisor: Supervisor = Supervisor()
    ) throws -> Supervisor.Outcome {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try supervisor.run(coordinator: shell(coordinator)) {
            (address) throws(LaunchingError) in
            workers.enumerated().map { slot, script in
                let log = "\(folder)/worker-\(slot).log"
                return Supervisor.WorkerLaunch(
                    slot: slot, host: host,
                    command: shell("ADDRESS=\(address); \(script)", log: log), logPath: log)
            }
        }
    }

    @Test func successIsZeroWithoutMessage() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 0",
            workers: ["test $ADDRESS = 127.0.0.1:5", "exit 0"])
        #expect(outcome == .init(exitCode: 0, message: nil))
    }

    @Test func deadWorkerIsNamedWithTheEndOfItsLog() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; read line; exit 4",
            workers: ["read line; exit 4", "echo last words; kill -SEGV $$"])
        #expect(outcome.exitCode == 4)
        #expect(
            outcome.message
                == "worker 1 (rank 1) was killed by signal 11 (SIGSEGV); the end of its log "
                + "\(folder)/worker-1.log")
        #expect(outcome.logLines == ["last words"])
    }

    @Test func childrenThatIgnoreTerminationAreKilled() throws {
        let outcome = try run(
            coordinator: "trap '' TERM; echo listening 127.0.0.1:5 >&3; while :; do sleep 60; done",
            workers: ["kill -9 $$", "trap '' TERM; while :; do sleep 60; done"])
        #expect(outcome.exitCode == 4)
        #expect(outcome.message?.hasPrefix("worker 0 (rank 0) was killed by signal 9") == true)
    }

    @Test func coordinatorsWordsAndCodeArePassedOn() throws {
        let outcome = try run(
            coordinator: "echo failed no such file >&3; exit 3", workers: ["exit 0"])
        #expect(outcome == .init(exitCode: 3, message: "no such file"))
    }

    @Test func coordinatorsLastWordsArePassedOn() throws {
        let late = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; echo failed by its digest >&3; exit 1",
            workers: ["exit 0"])
        #expect(late == .init(exitCode: 1, message: "by its digest"))
    }

    @Test func hostWithoutProgramIsNamed() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; read line; exit 4",
            workers: ["exit 127"], host: .init(name: "node7", rondo: "/opt/rondo"))
        #expect(outcome.exitCode == 4)
        #expect(
            outcome.message?.hasPrefix(
                "worker 0 on host node7: there is no program '/opt/rondo'; set rondo=PATH") == true)
    }

    @Test func refusedWorkerOnAHostSaysWhy() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; read line; exit 4",
            workers: ["echo 'rondo: error: this is rondo 0.0.9, the run needs 0.1.0'; exit 1"],
            host: .init(name: "node7"))
        #expect(
            outcome.message?.hasPrefix(
                "worker 0 on host node7 (rank 0) ended with exit status 1: this is rondo 0.0.9, "
                    + "the run needs 0.1.0; the end of its log ") == true)
    }

    @Test func signalInterruptsTheCoordinatorOnly() throws {
        let supervisor = Supervisor()
        supervisor.signalReceived()
        let outcome = try run(
            coordinator: "trap 'exit 130' INT; echo listening 127.0.0.1:5 >&3; "
                + "while :; do sleep 0.05; done",
            workers: ["exit 0"], supervisor: supervisor)
        #expect(outcome == .init(exitCode: 130, message: nil))
    }
}
