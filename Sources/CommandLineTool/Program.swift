// The entry point: finds the command, passes it its arguments, and turns every error into one line
// on standard error and an exit code.

import Checkpoints
import Datasets
import ExitCodes
import Foundation
import Launching
import Models
import Configuration
import Learning
import RunProcesses
import Training
import Transport
import WireFormat

/// The `rondo` program.
package struct Program {
    private let tasks: TaskList
    private let commands: [Command]

    /// - Parameter tasks: what runs can learn.
    package init(tasks: [TaskKind]) {
        self.tasks = TaskList(tasks)
        commands = [
            TrainCommand.command, CoordinatorCommand.command, WorkerCommand.command,
            EvaluateCommand.command, UseCommand.predict(self.tasks),
            UseCommand.generate(self.tasks), InspectCommand.command, DataCommand.command,
            StatusCommand.command, AuditCommand.command, ChaosCommand.command,
            BenchCommand.command,
        ]
    }

    /// Runs the program with `arguments` (without its name) and returns the exit code.
    package func run(_ arguments: [String]) -> Int32 {
        // A write to a closed connection or pager should fail, not kill the process without a
        // message.
        signal(SIGPIPE, SIG_IGN)
        // A write beyond the limit on file sizes should fail, as on a full disk.
        signal(SIGXFSZ, SIG_IGN)
        Console.openClosedStreams()
        do {
            let code = try dispatch(arguments)
            guard code == .done, let failure = Console.outputFailure else { return code.rawValue }
            Console.error(failure)
            return ExitCode.failed.rawValue
        } catch {
            Console.error("\(error)")
            return ExitCode(of: error).rawValue
        }
    }

    private func dispatch(_ arguments: [String]) throws -> ExitCode {
        guard let word = arguments.first else {
            Console.errorText(HelpPage.program(commands.map(\.specification)))
            return .usage
        }
        switch word {
        case "--help", "-h", "help":
            guard let named = arguments.dropFirst().first, word == "help" else {
                Console.output(HelpPage.program(commands.map(\.specification)))
                return .done
            }
            Console.output(HelpPage.command(try find(named).specification))
            return .done
        case "--version", "version":
            Console.output("rondo \(ProductVersion.current)")
            return .done
        default:
            let command = try find(word)
            let parsed = try ParsedArguments(
                Array(arguments.dropFirst()), for: command.specification)
            if parsed.asksForHelp {
                Console.output(HelpPage.command(command.specification))
                return .done
            }
            return try command.run(parsed, tasks)
        }
    }

    private func find(_ word: String) throws(UsageError) -> Command {
        if let command = commands.first(where: { $0.specification.name == word }) {
            return command
        }
        let names = commands.map(\.specification.name)
        let kind = word.hasPrefix("-") ? "option" : "command"
        let nearest = Suggestion.nearest(to: word, among: names + ["--help", "--version"])
        throw UsageError(
            "unknown \(kind) '\(word)'; "
                + (nearest.map { "did you mean '\($0)'?" }
                    ?? "commands are " + names.joined(separator: ", ")))
    }
}
