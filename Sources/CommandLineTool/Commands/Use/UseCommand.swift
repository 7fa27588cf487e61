import ExitCodes
import Learning
import RunProcesses
import Training

// The commands that use a finished run's model ask the run's task what it can do: `rondo predict` of images is another
// use than `rondo predict` of lines, and which options there are follows from the uses of all tasks.

/// A command whose meaning the task of a finished run decides.
enum UseCommand {
    static func predict(_ tasks: TaskList) -> Command {
        command(
            CommandSpecification(
                name: "predict", summary: "gives new inputs to a finished run's model",
                discussion: [
                    "For a run of images an input is an IDX file (plain or .gz), or a text file with "
                        + "one image a line, its pixels as numbers from 0 to 255 separated by commas "
                        + "or blanks; '-' reads such lines from standard input. For each image one "
                        + "line is printed: its number, the most likely class and the probability.",
                    "For a run of pairs of texts an input is a text file, '-' or --text; for each of "
                        + "its lines one line is printed, what the model turns it into. The data that "
                        + "it was trained on are not needed.",
                ],
                positionals: [
                    .init("DIR", "the run's folder"),
                    .init("INPUT", repeats: true, isOptional: true, "files with images or lines"),
                ],
                options: options(of: "predict", tasks),
                examples: [
                    "rondo predict runs/fashion-mnist-cnn images-idx3-ubyte.gz",
                    "echo '0 0 12 255 ...' | rondo predict runs/fashion-mnist-cnn -",
                    "rondo predict runs/seq2seq-dates --text 'March 9th, 2011' --attention map.png",
                ]))
    }

    static func generate(_ tasks: TaskList) -> Command {
        command(
            CommandSpecification(
                name: "generate", summary: "writes text with a finished run's language model",
                discussion: [
                    "The prompt and what follows it go to standard output, each symbol as soon as it "
                        + "is drawn; how fast that was, to standard error. The same seed gives the same "
                        + "text. Only the run's folder is read.",
                    "A model with attention looks back on as many symbols as it was trained on, a "
                        + "recurrent one on all of them.",
                ],
                positionals: [.init("DIR", "the run's folder")],
                options: options(of: "generate", tasks),
                examples: [
                    "rondo generate runs/text-gpt --prompt \"ROMEO:\" --count 300",
                    "rondo generate runs/text-lstm --temperature 0.5 --top-k 10 --seed 7",
                ]))
    }

    private static func command(_ specification: CommandSpecification) -> Command {
        Command(specification: specification) { arguments, tasks in
            try run(specification, arguments, tasks)
        }
    }

    /// Those of all tasks' uses under a command's name, each once.
    private static func options(
        of command: String, _ tasks: TaskList
    ) -> [OptionSpecification] {
        var options: [OptionSpecification] = []
        for use in tasks.kinds.flatMap(\.uses) where use.command == command {
            for option in use.options where !options.contains(where: { $0.name == option.name }) {
                options.append(
                    OptionSpecification(
                        option.name, value: option.value, repeats: option.repeats, option.help))
            }
        }
        return options
    }

    private static func run(
        _ specification: CommandSpecification, _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let folder = arguments.positionals[0]
        let run = try FinishedRun(folder, tasks: tasks)
        guard let use = run.uses.first(where: { $0.command == specification.name }) else {
            let others = run.uses.map { "'rondo \($0.command)'" }
            throw UsageError(
                "'rondo \(specification.name)' is not for the run in \(folder), whose task is"
                    + " \(run.configuration.taskName)"
                    + (others.isEmpty ? "" : "; use \(others.joined(separator: " or "))"))
        }
        let known = use.options.map(\.name)
        for option in specification.options.map(\.name)
        where arguments.has(option) && !known.contains(option) {
            throw UsageError("'--\(option)' is not for the run in \(folder), which \(use.summary)")
        }
        let prepared = try use.init(arguments)
        try FinishedRunArithmetic.ensure(run)
        try prepared.run(run, ConsoleOutput())
        return .done
    }
}

extension ParsedArguments: UseArguments {
    package var inputs: [String] { Array(positionals.dropFirst()) }

    package func misuse(_ message: String) -> any Error { UsageError(message) }
}

/// Results to standard output, everything else to standard error.
private struct ConsoleOutput: UseOutput {
    var isWanted: Bool { Console.takesOutput }

    func text(_ text: String) { Console.outputText(text) }

    func note(_ line: String) { Console.errorText(line) }
}
