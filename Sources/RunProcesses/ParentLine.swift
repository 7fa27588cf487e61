import ExitCodes

/// The pipe to the process that started this one.
package struct ParentLine: Sendable {
    private let descriptor: Int32

    package init(_ descriptor: Int) { self.descriptor = Int32(descriptor) }

    func send(_ line: String) {
        let single = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        Console.write(single + "\n", to: descriptor)
    }

    /// Runs `body` and returns its exit code, or that of the error that it throws.
    ///
    /// The error is sent to the parent, which shows it: this process must not show it a second
    /// time. Without a parent the error is thrown.
    package static func reportingFailure(
        to parent: ParentLine?, _ body: () throws -> ExitCode
    ) throws -> ExitCode {
        do {
            return try body()
        } catch {
            guard let parent else { throw error }
            parent.send("failed \(error)")
            return ExitCode(of: error)
        }
    }
}
