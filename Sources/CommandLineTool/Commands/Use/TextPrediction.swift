import Datasets
import Foundation
import RunProcesses
import Training

/// `rondo predict` of a run of pairs of texts: a line in, a line out.
struct TextPrediction {
    private static let byteLimit = 256 << 20

    private let texts: [String]
    private let inputs: [String]
    private let beam: Int
    private let picturePath: String?

    init(_ arguments: ParsedArguments, inputs: ArraySlice<String>) throws(UsageError) {
        texts = arguments.texts("text")
        self.inputs = Array(inputs)
        beam = try arguments.integer("beam", in: 1...256) ?? 1
        picturePath = arguments.text("attention")
        guard !texts.isEmpty || !inputs.isEmpty else {
            throw UsageError(
                "'rondo predict' needs INPUT or --text: lines to translate; "
                    + "see 'rondo predict --help'")
        }
    }

    func run(folder: String) throws {
        let predictor = try PairPredictor(runFolder: folder)
        var lines = texts
        for input in inputs { lines += try Self.lines(of: input) }
        if picturePath != nil, lines.count != 1 {
            throw UsageError("'--attention' draws one line, but \(lines.count) are given")
        }
        let unknown = try predictor.unknownSymbolCount(in: lines)
        if unknown > 0 {
            Console.errorText(
                "\(unknown) symbol\(unknown == 1 ? " is" : "s are") not in the model's vocabulary")
        }
        let targets = try predictor.targets(of: lines, beam: beam)
        Console.outputText(targets.map { $0 + "\n" }.joined())
        if let picturePath {
            let matrix = try predictor.attention(of: lines[0], beam: beam)
            try AttentionPicture.draw(matrix).write(to: picturePath)
            Console.errorText("attention drawn in \(picturePath)")
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
