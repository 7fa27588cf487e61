// The program's entry: finds the command, gives it its arguments and turns every way to fail into
// one line on standard error and an exit code.
//
//     0 done   1 failed   2 wrong command or configuration   3 data   4 peers lost for good
//     130 interrupted

import Checkpoints
import Datasets
import Foundation
import Launching
import Models
import Configuration
import Learning
import RunProcesses
import Training
import Transport
import WireFormat

/// A subcommand: its interface and what it does.
struct Command: Sendable {
    let specification: CommandSpecification
    /// Returns the exit code, or throws an error whose description is the line for the user.
    let run: @Sendable (ParsedArguments) throws -> Int32
}

/// The `rondo` program.
public enum Program {
    static let commands = [
        TrainCommand.command, CoordinatorCommand.command, WorkerCommand.command,
        EvaluateCommand.command, UseCommand.predict, UseCommand.generate,
        InspectCommand.command, DataCommand.command, StatusCommand.command,
        AuditCommand.command, ChaosCommand.command, BenchCommand.command,
    ]

    /// Runs the program with `arguments` (without its name) and returns the exit code.
    public static func run(_ arguments: [String]) -> Int32 {
        // A peer or a pager that goes away is an error of that write, not a reason to die unheard.
        signal(SIGPIPE, SIG_IGN)
        // A limit on the size of files is, like a full disk, an error of the write.
        signal(SIGXFSZ, SIG_IGN)
        Console.openClosedStreams()
        do {
            let code = try dispatch(arguments)
            guard code == 0, let failure = Console.outputFailure else { return code }
            Console.error(failure)
            return 1
        } catch {
            Console.error("\(error)")
            return exitCode(of: error)
        }
    }

    private static func dispatch(_ arguments: [String]) throws -> Int32 {
        guard let word = arguments.first else {
            Console.errorText(HelpPage.program(commands.map(\.specification)))
            return 2
        }
        switch word {
        case "--help", "-h", "help":
            guard let named = arguments.dropFirst().first, word == "help" else {
                Console.output(HelpPage.program(commands.map(\.specification)))
                return 0
            }
            Console.output(HelpPage.command(try find(named).specification))
            return 0
        case "--version", "version":
            Console.output("rondo \(ProductVersion.current)")
            return 0
        default:
            let command = try find(word)
            let parsed = try ParsedArguments(
                Array(arguments.dropFirst()), for: command.specification)
            if parsed.asksForHelp {
                Console.output(HelpPage.command(command.specification))
                return 0
            }
            return try command.run(parsed)
        }
    }

    private static func find(_ word: String) throws(UsageError) -> Command {
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

    /// Which of the documented codes an error ends the program with.
    static func exitCode(of error: any Error) -> Int32 {
        error is UsageError ? 2 : ProcessExit.code(of: error)
    }
}
