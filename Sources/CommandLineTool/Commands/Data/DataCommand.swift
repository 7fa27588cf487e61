import Learning
import Checkpoints
import Datasets
import ExitCodes
import Foundation
import RunProcesses

/// `rondo data`: writes the pairs of a generator as files.
enum DataCommand {
    private enum Generator: String, CaseIterable { case reversal, dates }

    static let command = Command(
        specification: CommandSpecification(
            name: "data", summary: "writes the made-up pairs of texts as files",
            discussion: [
                "GENERATOR is 'reversal' (strings of letters and the same backwards) or 'dates' "
                    + "(days in 16 formats and in ISO 8601's). The files are pairs.tsv and "
                    + "test.tsv, lines of source, tab, target: those that a configuration with "
                    + "this generator, seed and counts trains on and measures. No string, and no "
                    + "day, is in both.",
                "Training on the files needs data: { format: \"pairs\", path: \"pairs.tsv\", "
                    + "testPath: \"test.tsv\" }.",
            ],
            positionals: [.init("GENERATOR", "reversal or dates")],
            options: [
                .init("output", value: "DIR", "the folder for the files; made if need be"),
                .init("seed", value: "S", "of the random numbers (default: 1)"),
                .init("count", value: "N", "pairs to train on (default: 50000)"),
                .init("test", value: "M", "pairs to measure (default: 1000)"),
                .init("symbols", value: "K", "reversal: how many letters there are (default: 26)"),
                .init("minimum-length", value: "L", "reversal: of a string (default: 1)"),
                .init("maximum-length", value: "L", "reversal: of a string (default: 20)"),
            ],
            examples: ["rondo data dates --count 20000 --output dates"]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let word = arguments.positionals[0]
        guard let generator = Generator(rawValue: word) else {
            throw UsageError("unknown generator '\(word)'; generators are reversal, dates")
        }
        guard let folder = arguments.text("output") else {
            throw UsageError("'rondo data' needs --output: the folder for the files")
        }
        let seed = UInt64(try arguments.integer("seed", in: 0...Int.max) ?? 1)
        let count = try arguments.integer("count", in: 1...100_000_000) ?? 50_000
        let testCount = try arguments.integer("test", in: 1...1_000_000) ?? 1000
        let parts = try pairs(generator, arguments).parts(
            seed: seed, trainingCount: count, testCount: testCount)
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw FolderError(path: folder, reason: error.localizedDescription)
        }
        for (name, pairs) in [("pairs.tsv", parts.training), ("test.tsv", parts.test)] {
            try AtomicFile.write(
                Data(SyntheticPairs.tabSeparated(pairs)), to: "\(folder)/\(name)")
            Console.errorText("\(pairs.count) pairs in \(folder)/\(name)")
        }
        return .done
    }

    private static func pairs(
        _ generator: Generator, _ arguments: ParsedArguments
    ) throws(UsageError) -> SyntheticPairs {
        switch generator {
        case .dates:
            for option in ["symbols", "minimum-length", "maximum-length"]
            where arguments.has(option) {
                throw UsageError("'--\(option)' is not for dates")
            }
            return .dates
        case .reversal:
            let symbols = try arguments.integer("symbols", in: 1...62) ?? 26
            let shortest = try arguments.integer("minimum-length", in: 1...4096) ?? 1
            let longest = try arguments.integer("maximum-length", in: 1...4096) ?? 20
            guard shortest <= longest else {
                throw UsageError(
                    "'--minimum-length' \(shortest) is more than '--maximum-length' \(longest)")
            }
            return .reversal(symbols: symbols, lengths: shortest...longest)
        }
    }
}

/// A folder for files that cannot be made.
private struct FolderError: ExitCoded, CustomStringConvertible {
    let path: String
    let reason: String

    var exitCode: ExitCode { .failed }

    var description: String { "cannot make the folder \(path): \(reason)" }
}
