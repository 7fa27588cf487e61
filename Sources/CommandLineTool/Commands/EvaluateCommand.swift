import Foundation
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
                    "the folder with the data files (default: as in the configuration)")
            ],
            examples: ["rondo evaluate runs/fashion-mnist-cnn"]),
        run: run)

    private struct Figures: Encodable {
        let testAccuracy: Double
        let testLoss: Double
        let samples: Int
    }

    private static func run(_ arguments: ParsedArguments) throws -> Int32 {
        let folder = arguments.positionals[0]
        try FinishedRunArithmetic.ensure(folder)
        let sums = try Evaluator.evaluate(
            runFolder: folder, dataDirectory: arguments.text("data"))
        Console.errorText(
            "test accuracy \(String(format: "%.2f", sums.accuracy * 100)) %, "
                + "test loss \(String(format: "%.4f", sums.loss)), \(sums.sampleCount) images")
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let figures = Figures(
            testAccuracy: sums.accuracy, testLoss: sums.loss, samples: sums.sampleCount)
        Console.output("result " + String(decoding: try encoder.encode(figures), as: UTF8.self))
        return 0
    }
}

/// Gives this process the arithmetic that a finished run was computed with.
enum FinishedRunArithmetic {
    /// - Throws: `ConfigurationError` when the folder holds no run.
    static func ensure(_ folder: String) throws {
        let configuration = try FinishedRun.configuration(folder)
        try ProcessArithmetic.ensure(
            level: ProcessArithmetic.wanted, threads: configuration.threads)
    }
}
