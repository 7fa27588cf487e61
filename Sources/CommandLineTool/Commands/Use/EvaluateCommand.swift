import ExitCodes
import Foundation
import Learning
import RunProcesses
import Training

/// `rondo evaluate`: a finished run's model on its test split.
enum EvaluateCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "evaluate", summary: "measures a finished run's model on its test split",
            positionals: [.init("DIR", "the run's folder")],
            options: [
                .init(
                    "data", value: "PATH",
                    "the folder with the data files, or another text (default: as in the "
                        + "configuration)"),
                .init("whole", "measure all of a text, not only its last part"),
            ],
            examples: [
                "rondo evaluate runs/fashion-mnist-cnn",
                "rondo evaluate runs/text-gpt --data another.txt --whole",
            ]),
        run: run)

    private struct Line: Encodable {
        let figures: FigureValues
        let samples: Int

        enum CodingKeys: CodingKey { case samples }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(samples, forKey: .samples)
            try figures.encode(to: encoder)
        }
    }

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        var run = try FinishedRun(arguments.positionals[0], tasks: tasks)
        try FinishedRunArithmetic.ensure(run)
        if let path = arguments.text("data") { run = run.withData(at: path) }
        let sums = try run.evaluate(arguments.has("whole") ? .whole : .test)
        let metrics = run.configuration.task.metrics
        let figures = metrics.figures(ofEvaluation: sums)
        let count = metrics.sampleCount(ofEvaluation: sums)
        Console.errorText("\(figures.summary), \(count) \(metrics.counted)")
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let line = Line(figures: figures, samples: count)
        Console.output("result " + String(decoding: try encoder.encode(line), as: UTF8.self))
        return .done
    }
}
