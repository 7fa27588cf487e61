import ExitCodes
import Foundation
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
        let figures: EvaluationFigures
        let samples: Int

        enum CodingKeys: CodingKey { case samples }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(samples, forKey: .samples)
            try figures.encode(to: encoder)
        }
    }

    private static func run(_ arguments: ParsedArguments) throws -> ExitCode {
        let folder = arguments.positionals[0]
        try FinishedRunArithmetic.ensure(folder)
        if arguments.has("whole"), try !FinishedRun.configuration(folder).data.isText {
            throw UsageError("'--whole' is about one text; the run in \(folder) has other data")
        }
        let sums = try Evaluator.evaluate(
            runFolder: folder, dataPath: arguments.text("data"), isWhole: arguments.has("whole"))
        let names = try FinishedRun.configuration(folder).evaluationNames
        let figures = EvaluationFigures(names, loss: sums.loss, accuracy: sums.accuracy)
        Console.errorText("\(figures.words), \(sums.sampleCount) \(names.samples)")
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let line = Line(figures: figures, samples: sums.sampleCount)
        Console.output("result " + String(decoding: try encoder.encode(line), as: UTF8.self))
        return .done
    }
}
