// Runs of the built executable as a user starts it, each in a folder of its own. Every process of
// a run carries the folder's path in its environment or its arguments, so that "nothing is left"
// can be looked up in /proc for children and grandchildren alike.

import Foundation
import Glibc
import Launching
import Testing

/// A folder with data and a configuration, and the processes started in it.
final class TestRun {
    let folder: String
    let configuration: String

    /// Beside the test bundle, where `swift test` and `swift build` put it.
    static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("rondo").path

    init(
        length: String = "epochs: 2", replicas: Int = 4, extra: String = "", training: Int = 96
    ) throws {
        try #require(
            FileManager.default.isExecutableFile(atPath: Self.executable),
            "there is no \(Self.executable); build it with 'swift build -c release'")
        folder = FileManager.default.temporaryDirectory.path + "/rondo-run-\(UUID().uuidString)"
        configuration = "\(folder)/tiny.json"
        try FileManager.default.createDirectory(
            atPath: "\(folder)/data", withIntermediateDirectories: true)
        try TinyData.write(to: "\(folder)/data", training: training)
        try write(
            TinyData.configuration(
                dataFolder: "\(folder)/data", length: length, replicas: replicas, extra: extra))
    }

    deinit {
        for process in processes() { kill(process, SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    func write(_ text: String, to name: String = "tiny.json") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    func text(_ name: String) -> String {
        (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
    }

    /// Starts `rondo` with `arguments`.
    func start(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> RunningProgram {
        try RunningProgram(
            Self.executable, arguments, folder: folder, environment: environment)
    }

    /// Starts `rondo` by a shell, with its streams as `redirections` say.
    func start(_ arguments: [String], redirections: String) throws -> RunningProgram {
        try RunningProgram(
            "/bin/sh", ["-c", "exec \"$0\" \"$@\" \(redirections)", Self.executable] + arguments,
            folder: folder)
    }

    /// Starts `rondo` and waits for its end.
    func run(_ arguments: String...) throws -> RunningProgram {
        let program = try start(arguments)
        _ = try program.end()
        return program
    }

    /// Trains into the folder `name` and returns the fields of the result line.
    func train(_ name: String, workers: Int, _ more: String...) throws -> [String: Any] {
        let program = try start(
            ["train", configuration, "--workers", "\(workers)", "--output", "\(folder)/\(name)"]
                + more)
        let end = try program.end()
        try #require(end == .exited(0), "\(program.errorText)")
        return try program.result()
    }

    /// The living processes of this run (a zombie has no arguments and no environment).
    func processes() -> [pid_t] { Self.processes(mentioning: folder) }

    static func processes(mentioning text: String) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { name -> pid_t? in
            guard let process = pid_t(name), process != getpid() else { return nil }
            let found = ["cmdline", "environ"].contains { file in
                let bytes = FileManager.default.contents(atPath: "/proc/\(name)/\(file)") ?? Data()
                return bytes.range(of: Data(text.utf8)) != nil
            }
            return found ? process : nil
        }
    }

    /// The arguments of a living process.
    static func arguments(of process: pid_t) -> [String] {
        let bytes = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The process of a worker on this machine.
    func worker(_ slot: Int) -> pid_t? {
        processes().first { process in
            let arguments = Self.arguments(of: process)
            return arguments.first == "rondo" && arguments.contains("--slot=\(slot)")
        }
    }

    /// The TCP ports at which a process listens.
    static func listeningPorts(of process: pid_t) throws -> [Int] {
        let folder = "/proc/\(process)/fd"
        let sockets = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
        }
        let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
        return table.split(separator: "\n").dropFirst().compactMap { line in
            // number, local address:port in hexadecimal, remote, state (0A: listening), ..., inode
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", sockets.contains("socket:[\(fields[9])]")
            else { return nil }
            return fields[1].split(separator: ":").last.flatMap { Int($0, radix: 16) }
        }
    }

    /// Looks at a condition again and again until it holds.
    static func wait(
        _ words: String, seconds: Double = 30, until condition: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            try #require(ContinuousClock.now < deadline, "waited in vain: \(words)")
            // There is no event to wait for in another process' files; this is the polling
            // interval.
            _ = poll(nil, 0, 5)
        }
    }

    /// Waits until training is under way.
    func waitForSteps(in name: String) throws {
        try Self.wait("steps in \(name)") { text("\(name)/metrics.jsonl").contains("\"loss\"") }
    }
}

/// A started program with its output in files.
final class RunningProgram {
    private let process: ChildProcess
    private let ended = DispatchSemaphore(value: 0)
    private let outputPath: String
    private let errorPath: String

    init(
        _ executable: String, _ arguments: [String], folder: String,
        environment: [String: String] = [:]
    ) throws {
        let number = UUID().uuidString
        outputPath = "\(folder)/output-\(number)"
        errorPath = "\(folder)/error-\(number)"
        let ended = ended
        process = try ChildProcess(
            name: "rondo",
            .init(
                executable: executable,
                arguments: [URL(fileURLWithPath: executable).lastPathComponent] + arguments,
                environment: environment.merging(["RONDO_TEST_FOLDER": folder]) { $1 },
                standardOutput: .appended(to: outputPath),
                standardError: .appended(to: errorPath))
        ) { _, _ in ended.signal() }
    }

    var outputText: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    var errorText: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }
    /// The lines that begin with "rondo: error:".
    var errors: [String] {
        errorText.split(separator: "\n").filter { $0.hasPrefix("rondo: error: ") }
            .map { String($0.dropFirst("rondo: error: ".count)) }
    }

    func signal(_ number: Int32) { process.signal(number) }

    var hasEnded: Bool { process.status != nil }

    func end(seconds: Double = 60) throws -> ProcessEnd {
        if process.status == nil {
            try #require(
                ended.wait(timeout: .now() + seconds) == .success,
                "the program did not end within \(seconds) s: \(errorText)")
        }
        return try #require(process.status)
    }

    /// The fields of the last line, `result {json}`.
    func result() throws -> [String: Any] {
        let line = try #require(outputText.split(separator: "\n").last, "no output")
        try #require(line.hasPrefix("result "))
        let object = try JSONSerialization.jsonObject(with: Data(line.dropFirst(7).utf8))
        return try #require(object as? [String: Any])
    }
}

extension [String: Any] {
    func text(_ key: String) throws -> String { try #require(self[key] as? String, "\(self)") }
    func number(_ key: String) throws -> Double {
        try #require((self[key] as? NSNumber)?.doubleValue, "\(self)")
    }
}

/// All whole runs: one after another, because each uses every processor of the machine.
@Suite(.serialized) struct WholeRunTests {}
