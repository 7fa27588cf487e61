import ExitCodes

/// The pipe to the process that started this one.
package struct ParentLine: Sendable {
    private let descriptor: Int32

    package init(_ descriptor: Int) { self.descriptor = Int32(descriptor) }

    func send(_ line: String) {
        let single = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        Console.write(single + "\n", to: descriptor)
    }

    /// Runs `body`; a parent is told what it throws, and this process ends with the fitting code. The parent
    /// says it in its own place, so the words must not appear here too.
    package static func telling(
        _ parent: ParentLine?, _ body: () throws -> ExitCode
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
