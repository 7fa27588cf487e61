import ExitCodes
import RunFolders
import Foundation
import Glibc
import Configuration
import Launching
import Learning
import RunProcesses
import Training
import Transport

// How a program's child processes know what they are. Their first argument names the role, which
// also makes it visible in `ps`; the environment names the Trainer and holds its resolved
// configuration.

/// The role of this process in a run, if it is one of the run's child processes.
struct ProgramRole {
    private static let modelVariable = "RONDO_MODEL"
    private static let configurationVariable = "RONDO_CONFIGURATION"
    /// The most that Linux allows for one variable.
    private static let variableByteLimit = 128 * 1024 - 64

    private enum Part: String { case coordinator, worker }

    /// The Trainer's name.
    let model: String
    private let configurationText: String
    private let part: Part
    private let options: [String: String]

    /// The program's file name.
    static var programName: String {
        let path = CommandLine.arguments.first ?? "program"
        return path.split(separator: "/").last.map(String.init) ?? path
    }

    /// Nil in a process that a person started.
    static let ofThisProcess: ProgramRole? = {
        let environment = ProcessInfo.processInfo.environment
        let arguments = CommandLine.arguments
        guard let model = environment[modelVariable], let text = environment[configurationVariable],
            arguments.count > 1, let part = Part(rawValue: arguments[1])
        else { return nil }
        let pairs = arguments.dropFirst(2).map { argument in
            let parts = argument.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        return ProgramRole(
            model: model, configurationText: text, part: part,
            options: Dictionary(pairs) { $1 })
    }()

    /// The configuration of the run.
    func configuration(_ tasks: TaskList) throws(ConfigurationError) -> RunConfiguration {
        try RunConfiguration.parse(
            Data(configurationText.utf8), origin: "the configuration from the starting process",
            tasks: tasks)
    }

    /// This program, to be started as one of the processes of a run.
    static func program(
        model: String, _ configuration: RunConfiguration
    ) throws -> RunningProgram {
        let text = String(decoding: configuration.resolvedJSON(), as: UTF8.self)
        guard text.utf8.count <= variableByteLimit else {
            throw TrainingFailure(
                exitCode: .usage,
                message: "the configuration has \(text.utf8.count) bytes with all defaults; a"
                    + " program's may have \(variableByteLimit)")
        }
        return RunningProgram(
            name: programName, environment: [modelVariable: model, configurationVariable: text])
    }

    /// The arguments of a coordinator's process, without the program's name.
    static func coordinatorArguments(
        folder: RunFolder, mode: RunFolder.Mode, showsProgress: Bool
    ) -> [String] {
        [Part.coordinator.rawValue, "--output=\(folder.path)"]
            + (mode == .resume ? ["--resume"] : mode == .overwrite ? ["--overwrite"] : [])
            + (showsProgress ? [] : ["--quiet"])
    }

    /// Does what this process was started for and ends it.
    func runAndExit(_ tasks: TaskList) -> Never {
        signal(SIGPIPE, SIG_IGN)
        // A write beyond the limit on file sizes should fail, as on a full disk.
        signal(SIGXFSZ, SIG_IGN)
        Console.openClosedStreams()
        do {
            exit(try (part == .coordinator ? runCoordinator(tasks) : runWorker(tasks)).rawValue)
        } catch {
            Console.error("\(error)")
            exit(ExitCode(of: error).rawValue)
        }
    }

    private func runCoordinator(_ tasks: TaskList) throws -> ExitCode {
        let configuration = try configuration(tasks)
        let parent = options["--announce"].flatMap { Int($0) }.map { ParentLine($0) }
        return try ParentLine.reportingFailure(to: parent) {
            var role = CoordinatorRole(
                configuration: configuration,
                folder: RunFolder(path: options["--output"] ?? "runs/\(configuration.name)"),
                mode: options["--resume"] != nil
                    ? .resume : options["--overwrite"] != nil ? .overwrite : .begin,
                workerCount: options["--workers"].flatMap { Int($0) } ?? 1,
                listenAddress: try address("--listen"), parent: parent,
                hasLifeline: options["--lifeline"] != nil)
            role.showsProgress = options["--quiet"] == nil
            role.sendsResultToParent = true
            return try role.run(tasks)
        }
    }

    private func runWorker(_ tasks: TaskList) throws -> ExitCode {
        try WorkerRole(
            coordinator: try address("--coordinator"),
            slot: options["--slot"].flatMap { Int($0) }, hasLifeline: options["--lifeline"] != nil
        ).run(tasks)
    }

    private func address(_ option: String) throws -> SocketAddress {
        guard let text = options[option] else {
            throw TrainingFailure(exitCode: .usage, message: "a \(part.rawValue) needs \(option)")
        }
        return try SocketAddress.parse(text)
    }
}
