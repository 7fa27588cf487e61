import Foundation
import Glibc
import Launching
import Testing

/// Real processes under a supervisor, with shell scripts instead of rondo.
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
        coordinator: String, successor: String = "exit 4", workers: [String],
        launcher: any Launcher = LocalLauncher(), supervisor: Supervisor = Supervisor()
    ) throws -> Supervisor.Outcome {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try supervisor.run(
            coordinator: shell(coordinator),
            successor: { shell("ADDRESS=\($0); \(successor)") }
        ) { (address) throws(LaunchingError) in
            workers.enumerated().map { slot, script in
                let log = "\(folder)/worker-\(slot).log"
                return Supervisor.WorkerLaunch(
                    slot: slot, launcher: launcher,
                    command: shell("ADDRESS=\(address); \(script)", log: log), logPath: log)
            }
        }
    }

    @Test func successIsZeroWithoutMessage() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 0",
            workers: ["test $ADDRESS = 127.0.0.1:5", "exit 0"])
        #expect(outcome == .init(exitCode: .done, message: nil))
    }

    @Test func lostWorkerIsStartedAgain() throws {
        // The run ends when the worker's third life has left its mark.
        let count = "\(folder)/count"
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; "
                + "until test \"$(wc -l < \(count) 2>&1)\" = 3; do sleep 0.05; done; exit 0",
            workers: ["echo life >> \(count); test $(wc -l < \(count)) = 3 || kill -9 $$"])
        #expect(outcome == .init(exitCode: .done, message: nil))
    }

    @Test func killedCoordinatorIsReplacedAtItsAddress() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; "
                + "until test -e \(folder)/joined; do sleep 0.05; done; kill -9 $$",
            successor: "echo listening $ADDRESS >&3; echo $ADDRESS > \(folder)/address",
            workers: [
                "touch \(folder)/joined; until test -s \(folder)/address; do sleep 0.05; done; "
                    + "test $(cat \(folder)/address) = 127.0.0.1:5"
            ])
        #expect(outcome == .init(exitCode: .done, message: nil))
    }

    @Test func workerThatIsLostForGoodIsNamedWithTheEndOfItsLog() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; "
                + "until test -s \(folder)/worker-1.log; do sleep 0.05; done; "
                + "echo 'failed lost worker 1 (host a) again and again' >&3; exit 4",
            workers: ["read line; exit 4", "echo last words; kill -SEGV $$"])
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message
                == "lost worker 1 (host a) again and again; the end of its log "
                + "\(folder)/worker-1.log")
        #expect(Set(outcome.logLines) == ["last words"])
    }

    @Test func childrenThatIgnoreTerminationAreKilled() throws {
        let outcome = try run(
            coordinator: "trap '' TERM; echo listening 127.0.0.1:5 >&3; while :; do sleep 60; done",
            workers: ["exit 3", "trap '' TERM; while :; do sleep 60; done"])
        #expect(outcome.exitCode == .data)
        #expect(outcome.message?.hasPrefix("worker 0 ended with exit status 3") == true)
    }

    @Test func coordinatorsWordsAndCodeArePassedOn() throws {
        let outcome = try run(
            coordinator: "echo failed no such file >&3; exit 3", workers: ["exit 0"])
        #expect(outcome == .init(exitCode: .data, message: "no such file"))
    }

    @Test func coordinatorsLastWordsArePassedOn() throws {
        let late = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; echo failed by its digest >&3; exit 1",
            workers: ["exit 0"])
        #expect(late == .init(exitCode: .failed, message: "by its digest"))
    }

    @Test func hostWithoutProgramIsNamed() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 4",
            workers: ["exit 127"], launcher: SSHLauncher(.init(name: "node7", rondo: "/opt/rondo")))
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message?.hasPrefix(
                "worker 0 on host node7: there is no program '/opt/rondo'; set rondo=PATH")
                == true)
    }

    @Test func refusedWorkerOnAHostSaysWhy() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 4",
            workers: ["echo 'rondo: error: this is rondo 0.0.9, the run needs 0.1.0'; exit 1"],
            launcher: SSHLauncher(.init(name: "node7")))
        #expect(
            outcome.message?.hasPrefix(
                "worker 0 on host node7 ended with exit status 1: this is rondo 0.0.9, "
                    + "the run needs 0.1.0; the end of its log ") == true)
        #expect(outcome.exitCode == .failed)
        #expect(outcome.logLines == [], "the reason was said already")
    }

    @Test func failureThatTheCoordinatorKnowsIsItsSentence() throws {
        // Worker 0 only lost its neighbour, and gave up first.
        let outcome = try run(
            coordinator:
                "echo listening 127.0.0.1:5 >&3; echo 'failed worker 1 failed: nan' >&3; exit 1",
            workers: ["exit 4", "echo the loss; exit 1"])
        #expect(
            outcome
                == .init(
                    exitCode: .failed,
                    message: "worker 1 failed: nan; the end of its log \(folder)/worker-1.log",
                    logLines: ["the loss"]))
    }

    @Test func lostWorkerIsBlamedAndNotTheOneThatLostIt() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; "
                + "echo 'failed worker 1 failed: lost worker 0 (host a)' >&3; exit 4",
            workers: ["echo about to hang; read line; exit 4", "echo innocent; exit 4"])
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message?.hasSuffix("(host a); the end of its log \(folder)/worker-0.log")
                == true)
        #expect(outcome.logLines == ["about to hang"])
    }

    /// A worker that ends when the coordinator is gone, and so is not started again.
    private func afterCoordinator(_ script: String) -> String {
        "while kill -0 $(cat \(folder)/coordinator) 2>&-; do sleep 0.05; done; \(script)"
    }

    private func lostWorker(launcher: any Launcher = LocalLauncher(), _ script: String) throws
        -> Supervisor.Outcome
    {
        try run(
            coordinator: "echo $$ > \(folder)/coordinator; echo listening 127.0.0.1:5 >&3; "
                + "echo 'failed lost worker 0' >&3; exit 4",
            workers: [afterCoordinator(script)], launcher: launcher)
    }

    @Test func killedWorkerIsNamedThoughTheCoordinatorLostIt() throws {
        let outcome = try lostWorker("kill -9 $$")
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message?.hasPrefix("worker 0 was killed by signal 9 (SIGKILL); ")
                == true, "\(outcome)")
    }

    @Test func signalOnAHostIsNamed() throws {
        let outcome = try lostWorker(
            launcher: SSHLauncher(.init(name: "node7")), "echo rondo: rank 0 of 1; exit 137")
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message?.hasPrefix(
                "worker 0 on host node7 was killed by signal 9 (SIGKILL); ") == true,
            "\(outcome)")
    }

    @Test(arguments: [
        (
            "echo 'node7: Permission denied'; echo rondo: rank 0 of 1",
            "ssh lost the connection to it (node7: Permission denied); the end"
        ),
        ("echo rondo: rank 0 of 1", "ssh lost the connection to it; the end"),
        ("echo 'refused'", "ssh could not reach it or was refused (refused); the end"),
        ("true", "ssh could not reach it or was refused; its log is empty"),
    ])
    func brokenConnectionQuotesOnlyTheMessageOfSSH(script: String, message: String) throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 4",
            workers: ["\(script); exit 255"], launcher: SSHLauncher(.init(name: "node7")))
        #expect(
            outcome.message?.hasPrefix("worker 0 on host node7: \(message)") == true,
            "\(outcome)")
    }

    @Test func coordinatorThatWasInterruptedByOthersIsNoFailure() throws {
        let outcome = try run(
            coordinator: "echo listening 127.0.0.1:5 >&3; exit 130", workers: ["exit 4"])
        #expect(outcome == .init(exitCode: .interrupted, message: nil))
    }

    @Test func signalInterruptsTheCoordinatorOnly() throws {
        let supervisor = Supervisor()
        supervisor.signalReceived()
        let outcome = try run(
            coordinator: "trap 'exit 130' INT; echo listening 127.0.0.1:5 >&3; "
                + "while :; do sleep 0.05; done",
            workers: ["exit 0"], supervisor: supervisor)
        #expect(outcome == .init(exitCode: .interrupted, message: nil))
    }
}
