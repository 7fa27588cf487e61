import Foundation
import Learning

/// `rondo generate` of a language model: continues a text.
struct GenerateText: ModelUse {
    private static let defaultCount = 500
    private static let defaultTemperature = 0.8
    private static let defaultSeed = 1

    static let command = "generate"
    static let summary = "continues texts"
    static let options = [
        UseOption(
            "prompt", value: "TEXT",
            "what the text begins with (default: nothing, as after a line break)"),
        UseOption(
            "count", value: "N",
            "how many symbols (characters, words or byte pairs) to add (default: \(defaultCount))"),
        UseOption(
            "temperature", value: "T",
            "divides the logits: below 1 the likely becomes likelier, 0 always takes the most "
                + "likely symbol (default: \(defaultTemperature))"),
        UseOption("top-k", value: "K", "draw from the K most likely symbols (default: all)"),
        UseOption("seed", value: "S", "of the random draws (default: \(defaultSeed))"),
    ]

    private let prompt: String
    private let count: Int
    private let temperature: Double
    private let topCount: Int?
    private let seed: UInt64

    init(_ arguments: any UseArguments) throws {
        prompt = arguments.text("prompt") ?? ""
        count = try arguments.integer("count", in: 0...Int.max) ?? Self.defaultCount
        temperature =
            try arguments.number("temperature", in: 0...1000) ?? Self.defaultTemperature
        topCount = try arguments.integer("top-k", in: 1...Int.max)
        seed = UInt64(try arguments.integer("seed", in: 0...Int.max) ?? Self.defaultSeed)
    }

    func run(_ run: FinishedRun, _ output: any UseOutput) throws {
        guard let task = run.configuration.task as? LanguageModelTask else {
            preconditionFailure("a text in a run of \(run.configuration.taskName)")
        }
        let generator = try TextGenerator(run, task)
        try generator.check(prompt: prompt)
        output.text(prompt)
        let start = ContinuousClock.now
        let added = try generator.generate(
            prompt: prompt, count: count, seed: seed, temperature: temperature,
            topCount: topCount
        ) { piece in
            output.text(piece)
            return output.isWanted
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        output.text("\n")
        if output.isWanted, added > 0 {
            output.note(
                "\(added) symbols in \(String(format: "%.2f", seconds)) s, "
                    + "\(String(format: "%.0f", Double(added) / seconds)) symbols/s")
        }
    }
}
