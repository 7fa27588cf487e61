import Datasets
import Foundation
import Learning

/// `rondo predict` of a run of images: a class and its probability for each.
struct ClassifyImages: ModelUse {
    static let command = "predict"
    static let summary = "classifies images"
    static let options = [
        UseOption("top", value: "K", "images: print the K most likely classes (default: 1)")
    ]

    private let inputs: [String]
    private let top: Int

    init(_ arguments: any UseArguments) throws {
        inputs = arguments.inputs
        guard !inputs.isEmpty else {
            throw arguments.misuse(
                "'rondo predict' needs INPUT: files with images; see 'rondo predict --help'")
        }
        top = try arguments.integer("top", in: 1...256) ?? 1
    }

    func run(_ run: FinishedRun, _ output: any UseOutput) throws {
        guard let task = run.configuration.task as? ImageClassificationTask else {
            preconditionFailure("images in a run of \(run.configuration.taskName)")
        }
        // The shape of an image of numbers is that of the data that the model was made for.
        lazy var trained = Result {
            let columns = try task.data.columns(of: .test)
            return try columns.outline("image", of: task.data.displayName).images()
        }
        for path in inputs {
            if let images = try imageFile(path) {
                let classifier = try ImageClassifier(run, task, input: images.outline)
                show(try classifier.predict(pixels: images.pixels), output)
            } else {
                let outline = try trained.get()
                let pixels = try PixelText.read(path, perImage: outline.imageByteCount)
                let classifier = try ImageClassifier(run, task, input: outline)
                show(try classifier.predict(pixels: pixels), output)
            }
        }
    }

    /// The file's images if it begins like an IDX or a gzip file; nil for text.
    private func imageFile(_ path: String) throws -> IDXImages? {
        guard path != "-" else { return nil }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw DataError(file: path, problem: .unreadable(reason: "no such file"))
        }
        let head = (try? file.read(upToCount: 2)) ?? Data()
        try? file.close()
        guard head == Data([0, 0]) || head == Data([0x1f, 0x8b]) else { return nil }
        return try IDXReader.readImages(path)
    }

    private func show(_ predictions: [Prediction], _ output: any UseOutput) {
        var text = ""
        for (index, prediction) in predictions.enumerated() {
            let answers = prediction.ranked(top).map {
                "\($0) \(String(format: "%.4f", prediction.probabilities[$0]))"
            }
            text += "\(index) " + answers.joined(separator: " ") + "\n"
        }
        output.text(text)
    }
}
