import ExitCodes
import Foundation
import Launching
import Synchronization
import Testing

/// Starts shell scripts as if a scheduler ran them, and keeps what it was asked to start.
private final class RecordingLauncher: Launcher {
    private let recorded = Mutex<[WorkerStart]>([])
    private let script: String

    init(_ script: String) { self.script = script }

    var starts: [WorkerStart] { recorded.withLock { $0 } }

    var hostName: String? { "cluster" }

    func command(for worker: WorkerStart) -> ChildProcess.Command {
        recorded.withLock { $0.append(worker) }
        return .init(
            executable: "/bin/sh", arguments: ["sh", "-c", script] + worker.arguments,
            environment: worker.environment.elsewhere,
            standardOutput: .appended(to: worker.logPath),
            standardError: .appended(to: worker.logPath))
    }

    func workerEnd(_ commandEnd: ProcessEnd) -> ProcessEnd { commandEnd }

    func isLaunchFailure(_ commandEnd: ProcessEnd) -> Bool { commandEnd == .exited(255) }

    func explanation(of commandEnd: ProcessEnd, log: [String]) -> String? {
        isLaunchFailure(commandEnd) ? "the queue is full" : nil
    }
}

@Suite struct LauncherTests {
    private let folder = NSTemporaryDirectory() + "/rondo-launcher-\(UUID().uuidString)"
    private let environment = WorkerEnvironment(
        here: ["WHERE": "here"], elsewhere: ["WHERE": "far"])
    private let program = RunningProgram(name: "rondo")

    private func run(
        _ slots: WorkerSlots, coordinator script: String
    ) throws -> Supervisor.Outcome {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let coordinator = ChildProcess.Command(
            executable: "/bin/sh",
            arguments: ["sh", "-c", "echo listening 0.0.0.0:5 >&3; \(script)"], announces: true)
        return try Supervisor().run(coordinator: coordinator, successor: { _ in coordinator }) {
            (address) throws(LaunchingError) in
            try slots.launches(
                coordinator: address, relay: "127.0.0.1:6", logPath: { "\(folder)/\($0).log" })
        }
    }

    /// Another way to start workers needs nothing but a `Launcher`.
    @Test func aLauncherIsAllThatAnotherSchedulerNeeds() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let launcher = RecordingLauncher("echo $WHERE")
        let slots = WorkerSlots(
            [.init(launcher, route: "10.0.0.1"), .init(launcher, route: "fd00::1")],
            program: program, threads: 1, environment: environment)
        #expect(slots.workerCount == 2 && slots.listenAddress == "[::]:0")
        let logs = "\(folder)/0.log \(folder)/1.log"
        let outcome = try run(
            slots,
            coordinator: "until test $(cat \(logs) 2>&1 | grep -c far) = 2; do sleep 0.05; done")
        #expect(outcome == .init(exitCode: .done))
        #expect(launcher.starts.map(\.slot) == [0, 1])
        #expect(launcher.starts.map(\.program.name) == ["rondo", "rondo"])
        #expect(launcher.starts.allSatisfy { $0.cores == nil })
        #expect(
            launcher.starts.map(\.arguments) == [
                ["worker", "--coordinator=10.0.0.1:5", "--slot=0", "--lifeline"],
                ["worker", "--coordinator=[fd00::1]:5", "--slot=1", "--lifeline"],
            ])
    }

    @Test func aLauncherExplainsWhyAWorkerDidNotStart() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let slots = WorkerSlots(
            [.init(RecordingLauncher("exit 255"), route: "10.0.0.1")], program: program, threads: 1,
            environment: environment)
        let outcome = try run(slots, coordinator: "sleep 0.2; exit 4")
        #expect(outcome.exitCode == .peersLost)
        #expect(
            outcome.message
                == "worker 0 on host cluster: the queue is full; its log is empty: \(folder)/0.log")
    }

    @Test func workersHereGetTheRelayAndTheEnvironmentOfThisMachine() throws {
        let slots = WorkerSlots(
            [
                .local,
                .init(SSHLauncher(.init(name: "node7", rondo: "/opt/rondo")), route: "10.0.0.1"),
            ],
            program: program, threads: 2, environment: environment)
        #expect(slots.listenAddress == "0.0.0.0:0")
        let launches = try slots.launches(
            coordinator: "0.0.0.0:5", relay: "127.0.0.1:6", logPath: { "\($0).log" })
        let here = launches[0].command
        #expect(here.executable == program.executable)
        #expect(here.environment == ["WHERE": "here"])
        #expect(
            here.arguments == [
                "rondo", "worker", "--coordinator=127.0.0.1:6", "--slot=0", "--lifeline",
            ])
        let there = launches[1].command
        #expect(there.executable == "ssh" && there.environment.isEmpty)
        #expect(there.arguments.contains("node7"))
        #expect(
            there.arguments.last?.contains(
                "env WHERE=far /opt/rondo worker --coordinator=10.0.0.1:5 --slot=1 --lifeline")
                == true)
        #expect(throws: LaunchingError.self) {
            try slots.launches(coordinator: "nowhere", relay: nil, logPath: { "\($0).log" })
        }
    }
}
