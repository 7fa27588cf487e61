// The processes of a chaos run: a `rondo train` and the workers that join beside it. They and all
// processes that they start have a mark in their environment, by which the end finds the rest.

import RunProcesses
import Foundation
import Glibc
import Launching
import Training
import Transport

/// Starts, signals and ends the processes of a chaos run. Used by one thread.
final class ChaosProcesses {
    private static let mark = "RONDO_CHAOS"

    private let number = UUID().uuidString
    private let folder: String
    private let threads: Int
    private(set) var train: ChildProcess?
    private var joined: [ChildProcess] = []
    private var stopped: Set<Int32> = []

    /// - Parameter folder: where the processes' own output goes.
    init(folder: String, threads: Int) {
        self.folder = folder
        self.threads = threads
    }

    /// Where the standard output of `rondo train` is.
    func outputPath(_ name: String) -> String { "\(folder)/\(name)-output.txt" }

    func startTraining(_ name: String, _ arguments: [String]) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: outputPath(name))
        train = try ChildProcess(
            name: "rondo train",
            ChildProcess.Command(
                executable: RunningProgram(name: "rondo").executable,
                arguments: ["rondo", "train"] + arguments + ["--lifeline"],
                environment: [Self.mark: number],
                standardOutput: .appended(to: outputPath(name)),
                standardError: .appended(to: "\(folder)/\(name)-log.txt"))
        ) { _, _ in }
    }

    /// One more worker, for a coordinator or a relay.
    func join(_ coordinator: SocketAddress) throws {
        let log = "\(folder)/joined-\(joined.count).log"
        joined.append(
            try ChildProcess(
                name: "a worker that joins",
                ChildProcess.Command(
                    executable: RunningProgram(name: "rondo").executable,
                    arguments: ["rondo", "worker", "--coordinator=\(coordinator)", "--lifeline"],
                    environment: ProcessArithmetic.environment(threads: threads)
                        .merging([Self.mark: number, "SWIFT_BACKTRACE": "enable=no"]) { $1 },
                    standardOutput: .appended(to: log), standardError: .appended(to: log))
            ) { _, _ in })
    }

    /// Starts a new worker for each joined one that was lost.
    func replaceLost(_ coordinator: SocketAddress) throws {
        let lost = joined.filter { $0.status.map { !$0.isSuccess } ?? false }
        joined.removeAll { child in lost.contains { $0 === child } }
        for _ in lost { try join(coordinator) }
    }

    func hasJoined(_ process: Int32) -> Bool { joined.contains { $0.processID == process } }

    /// Signals a process of this run. Returns false if it is not one of this run, or is gone.
    func signal(_ process: Int32, _ number: Int32) -> Bool {
        guard process > 1, isOwn(process), kill(process, number) == 0 else { return false }
        if number == SIGSTOP { stopped.insert(process) }
        if number == SIGCONT { stopped.remove(process) }
        return true
    }

    static let limiterPath = "/usr/bin/prlimit"

    /// Limits the size of the files that a process of this run writes; nil lifts the limit. Returns
    /// false if the process is not one of this run, or is gone.
    func limitFiles(of process: Int32, byteCount: Int?) -> Bool {
        guard isOwn(process) else { return false }
        let ended = DispatchSemaphore(value: 0)
        let limit = byteCount.map { "\($0)" } ?? "unlimited"
        let child = try? ChildProcess(
            name: "prlimit",
            ChildProcess.Command(
                executable: Self.limiterPath,
                arguments: ["prlimit", "--pid", "\(process)", "--fsize=\(limit):"],
                environment: [Self.mark: number],
                standardError: .appended(to: "\(folder)/prlimit-log.txt"))
        ) { _, _ in ended.signal() }
        guard let child, ended.wait(timeout: .now() + 5) == .success else { return false }
        return child.status?.isSuccess ?? false
    }

    /// Checks the mark, so that a process that got a reused number is not signalled.
    private func isOwn(_ process: Int32) -> Bool {
        let environment =
            FileManager.default.contents(atPath: "/proc/\(process)/environ") ?? Data()
        return environment.range(of: Data("\(Self.mark)=\(number)".utf8)) != nil
    }

    /// Ends everything and returns how many processes had to be killed one by one.
    func end() -> Int {
        for process in stopped { _ = signal(process, SIGCONT) }
        let children = joined + [train].compactMap(\.self)
        for child in children where child.status == nil {
            child.signal(SIGTERM)
            child.cutLifeline()
        }
        // Orderly ends take a moment; the lifeline ends a process that has lost its parent.
        var left: [Int32] = []
        let deadline = ContinuousClock.now + .seconds(10)
        repeat {
            left = remaining()
            if left.isEmpty { return 0 }
            Self.pause(.milliseconds(20))
        } while ContinuousClock.now < deadline
        for process in left { kill(process, SIGKILL) }
        return left.count
    }

    private func remaining() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 != getpid() && isOwn($0) }
    }

    /// Waits; for polling what sends no notice when it changes.
    static func pause(_ duration: Duration) {
        var poller = Poller()
        _ = try? poller.wait(until: .after(duration))
    }
}
