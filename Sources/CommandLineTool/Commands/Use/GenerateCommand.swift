import ExitCodes
import Foundation
import RunProcesses
import Training

/// `rondo generate`: continues a text.
enum GenerateCommand {
    private static let defaultCount = 500
    private static let defaultTemperature = 0.8
    private static let defaultSeed = 1

    static let command = Command(
        specification: CommandSpecification(
            name: "generate", summary: "writes text with a finished run's language model",
            discussion: [
                "The prompt and what follows it go to standard output, each symbol as soon as it "
                    + "is drawn; how fast that was, to standard error. The same seed gives the same "
                    + "text. Only the run's folder is read.",
                "A model with attention looks back on as many symbols as it was trained on, a "
                    + "recurrent one on all of them.",
            ],
            positionals: [.init("DIR", "the run's folder")],
            options: [
                .init(
                    "prompt", value: "TEXT",
                    "what the text begins with (default: nothing, as after a line break)"),
                .init(
                    "count", value: "N",
                    "how many symbols (characters, words or byte pairs) to add (default: "
                        + "\(defaultCount))"),
                .init(
                    "temperature", value: "T",
                    "divides the logits: below 1 the likely becomes likelier, 0 always takes the "
                        + "most likely symbol (default: \(defaultTemperature))"),
                .init("top-k", value: "K", "draw from the K most likely symbols (default: all)"),
                .init("seed", value: "S", "of the random draws (default: \(defaultSeed))"),
            ],
            examples: [
                "rondo generate runs/text-gpt --prompt \"ROMEO:\" --count 300",
                "rondo generate runs/text-lstm --temperature 0.5 --top-k 10 --seed 7",
            ]),
        run: run)

    private static func run(_ arguments: ParsedArguments) throws -> ExitCode {
        let folder = arguments.positionals[0]
        let prompt = arguments.text("prompt") ?? ""
        let count = try arguments.integer("count", in: 0...Int.max) ?? defaultCount
        let temperature =
            try arguments.number("temperature", in: 0...1000) ?? defaultTemperature
        let topCount = try arguments.integer("top-k", in: 1...Int.max)
        let seed = try arguments.integer("seed", in: 0...Int.max) ?? defaultSeed
        try FinishedRunArithmetic.ensure(folder)
        let generator = try TextGenerator(runFolder: folder)
        try generator.check(prompt: prompt)
        Console.outputText(prompt)
        let start = ContinuousClock.now
        let added = try generator.generate(
            prompt: prompt, count: count, seed: UInt64(seed), temperature: temperature,
            topCount: topCount
        ) { piece in
            Console.outputText(piece)
            return Console.takesOutput
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        Console.output("")
        if Console.takesOutput, added > 0 {
            Console.errorText(
                "\(added) symbols in \(String(format: "%.2f", seconds)) s, "
                    + "\(String(format: "%.0f", Double(added) / seconds)) symbols/s")
        }
        return .done
    }
}
