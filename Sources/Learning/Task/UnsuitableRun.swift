import ExitCodes

/// A run that cannot be used as asked for; `description` is one line for the user.
package struct UnsuitableRun: ExitCoded, Equatable, CustomStringConvertible {
    package let description: String
    package var exitCode: ExitCode { .usage }

    package init(_ description: String) { self.description = description }
}
