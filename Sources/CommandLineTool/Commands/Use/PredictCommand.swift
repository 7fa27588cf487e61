import Configuration
import ExitCodes
import Learning
import RunProcesses
import Training

/// `rondo predict`: gives new inputs to a finished run's model.
enum PredictCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "predict", summary: "classifies images or translates lines with a run's model",
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
            options: [
                .init("top", value: "K", "images: print the K most likely classes (default: 1)"),
                .init("text", value: "TEXT", repeats: true, "pairs: a line to translate"),
                .init(
                    "beam", value: "K",
                    "pairs: follow the K likeliest beginnings side by side (default: 1)"),
                .init(
                    "attention", value: "FILE.png",
                    "pairs: draw where the model looked while it wrote; for a single line"),
            ],
            examples: [
                "rondo predict runs/fashion-mnist-cnn images-idx3-ubyte.gz",
                "echo '0 0 12 255 ...' | rondo predict runs/fashion-mnist-cnn -",
                "rondo predict runs/seq2seq-dates --text 'March 9th, 2011' --attention map.png",
            ]),
        run: run)

    private static func run(_ arguments: ParsedArguments) throws -> ExitCode {
        let folder = arguments.positionals[0]
        let inputs = arguments.positionals.dropFirst()
        let configuration = try FinishedRun.configuration(folder)
        switch configuration.data {
        case .images(let data):
            try refuse(["text", "beam", "attention"], arguments, folder, "classifies images")
            guard !inputs.isEmpty else {
                throw UsageError(
                    "'rondo predict' needs INPUT: files with images; see 'rondo predict --help'")
            }
            let top = try arguments.integer("top", in: 1...256) ?? 1
            try FinishedRunArithmetic.ensure(folder)
            try ImagePrediction.run(inputs, folder: folder, data: data, top: top)
        case .pairs:
            try refuse(["top"], arguments, folder, "translates lines")
            let options = try TextPrediction(arguments, inputs: inputs)
            try FinishedRunArithmetic.ensure(folder)
            try options.run(folder: folder)
        case .text:
            throw UsageError(
                "the run in \(folder) is a language model; 'rondo predict' takes models for images "
                    + "or for pairs of texts")
        case .own:
            throw UsageError(
                "the run in \(folder) is on the samples of a program, which alone can use its model"
            )
        }
        return .done
    }

    private static func refuse(
        _ options: [String], _ arguments: ParsedArguments, _ folder: String, _ deed: String
    ) throws(UsageError) {
        for option in options where arguments.has(option) {
            throw UsageError("'--\(option)' is not for the run in \(folder), which \(deed)")
        }
    }
}
