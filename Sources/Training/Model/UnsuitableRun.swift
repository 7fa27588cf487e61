import ExitCodes

/// A finished run whose model cannot do what was asked of it.
package struct UnsuitableRun: ExitCoded, Equatable, CustomStringConvertible {
    package let description: String
    package var exitCode: ExitCode { .usage }

    package init(_ description: String) { self.description = description }
}
