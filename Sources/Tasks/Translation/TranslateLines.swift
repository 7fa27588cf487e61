import Datasets
import Foundation
import Learning

/// `rondo predict` of a run of pairs of texts: a line in, a line out.
struct TranslateLines: ModelUse {
    static let command = "predict"
    static let summary = "translates lines"
    static let options = [
        UseOption("text", value: "TEXT", repeats: true, "pairs: a line to translate"),
        UseOption(
            "beam", value: "K",
            "pairs: follow the K likeliest beginnings side by side (default: 1)"),
        UseOption(
            "attention", value: "FILE.png",
            "pairs: draw where the model looked while it wrote; for a single line"),
    ]
    private static let byteLimit = 256 << 20

    private let texts: [String]
    private let inputs: [String]
    private let beam: Int
    private let picturePath: String?
    private let misuse: (String) -> any Error

    init(_ arguments: any UseArguments) throws {
        texts = arguments.texts("text")
        inputs = arguments.inputs
        beam = try arguments.integer("beam", in: 1...256) ?? 1
        picturePath = arguments.text("attention")
        misuse = arguments.misuse
        guard !texts.isEmpty || !inputs.isEmpty else {
            throw arguments.misuse(
                "'rondo predict' needs INPUT or --text: lines to translate; "
                    + "see 'rondo predict --help'")
        }
    }

    func run(_ run: FinishedRun, _ output: any UseOutput) throws {
        guard let task = run.configuration.task as? TranslationTask else {
            preconditionFailure("lines in a run of \(run.configuration.taskName)")
        }
        let translator = try LineTranslator(run, task)
        var lines = texts
        for input in inputs { lines += try Self.lines(of: input) }
        if picturePath != nil, lines.count != 1 {
            throw misuse("'--attention' draws one line, but \(lines.count) are given")
        }
        let unknown = try translator.unknownSymbolCount(in: lines)
        if unknown > 0 {
            output.note(
                "\(unknown) symbol\(unknown == 1 ? " is" : "s are") not in the model's vocabulary")
        }
        let targets = try translator.targets(of: lines, beam: beam)
        output.text(targets.map { $0 + "\n" }.joined())
        if let picturePath {
            let matrix = try translator.attention(of: lines[0], beam: beam)
            try AttentionPicture.draw(matrix).write(to: picturePath)
            output.note("attention drawn in \(picturePath)")
        }
    }

    private static func lines(of path: String) throws(DataError) -> [String] {
        let text: PlainText
        if path == "-" {
            let bytes: Data?
            do {
                bytes = try FileHandle.standardInput.read(upToCount: byteLimit + 1)
            } catch {
                throw DataError(
                    file: "standard input",
                    problem: .unreadable(reason: error.localizedDescription))
            }
            text = try PlainText(
                bytes: Array(bytes ?? Data()), name: "standard input", byteCountLimit: byteLimit)
        } else {
            text = try PlainText(path: path, byteCountLimit: byteLimit)
        }
        var lines = text.bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { line in
            String(decoding: line.last == 0x0d ? line.dropLast() : line, as: UTF8.self)
        }
    }
}
