/// What can be done with the model of a finished run by a command of `rondo`: predict, generate,
/// explain.
package protocol ModelUse: SendableMetatype {
    /// The command's name.
    static var command: String { get }
    /// What the use makes of the task's inputs: "classifies images".
    static var summary: String { get }
    /// The options that the use understands; the command's help lists those of all tasks.
    static var options: [UseOption] { get }

    /// - Throws: what is wrong with the arguments.
    init(_ arguments: any UseArguments) throws
    /// Reads the model and answers.
    func run(_ run: FinishedRun, _ output: any UseOutput) throws
}

/// An option of a use.
package struct UseOption: Sendable, Equatable {
    package let name: String
    /// What its value is called in the help; nil for a switch.
    package let value: String?
    package let help: String
    package let repeats: Bool

    package init(_ name: String, value: String? = nil, repeats: Bool = false, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
        self.repeats = repeats
    }
}

/// A command line, read by the rules of a use's options.
package protocol UseArguments {
    /// What stands behind the run's folder.
    var inputs: [String] { get }
    func has(_ option: String) -> Bool
    func text(_ option: String) -> String?
    func texts(_ option: String) -> [String]
    func integer(_ option: String, in range: ClosedRange<Int>) throws -> Int?
    func number(_ option: String, in range: ClosedRange<Double>) throws -> Double?
    /// The error for arguments that do not go together.
    func misuse(_ message: String) -> any Error
}

/// Where a use writes.
package protocol UseOutput {
    /// Results, as they come.
    func text(_ text: String)
    /// False once nobody reads the results any more.
    var isWanted: Bool { get }
    /// A line for a person beside the results.
    func note(_ line: String)
}
