import ExitCodes
import Learning

/// A subcommand: its interface and what it does.
struct Command: Sendable {
    let specification: CommandSpecification
    /// Returns the exit code, or throws an error whose description is the line for the user.
    let run: @Sendable (ParsedArguments, TaskList) throws -> ExitCode
}
