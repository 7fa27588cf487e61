import Datasets
import Foundation
import Configuration
import Learning
import RunProcesses
import Training

/// `rondo predict` of a run of images.
enum ImagePrediction {
    static func run(
        _ inputs: ArraySlice<String>, folder: String, data: ImageDataConfiguration, top: Int
    ) throws {
        // What an image of numbers looks like is known from the data that the model was made for.
        lazy var trained = Result { try IDXReader.readImages(data.testImagesPath).outline }
        for path in inputs {
            if let images = try imageFile(path) {
                let predictor = try Predictor(runFolder: folder, input: images.outline)
                show(try predictor.predict(pixels: images.pixels), top)
            } else {
                let outline = try trained.get()
                let pixels = try PixelText.read(path, perImage: outline.imageByteCount)
                let predictor = try Predictor(runFolder: folder, input: outline)
                show(try predictor.predict(pixels: pixels), top)
            }
        }
    }

    /// The file's images if it begins like an IDX or a gzip file; nil for text.
    private static func imageFile(_ path: String) throws -> IDXImages? {
        guard path != "-" else { return nil }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw DataError(file: path, problem: .unreadable(reason: "no such file"))
        }
        let head = (try? file.read(upToCount: 2)) ?? Data()
        try? file.close()
        guard head == Data([0, 0]) || head == Data([0x1f, 0x8b]) else { return nil }
        return try IDXReader.readImages(path)
    }

    private static func show(_ predictions: [Prediction], _ top: Int) {
        var text = ""
        for (index, prediction) in predictions.enumerated() {
            let ranked = prediction.probabilities.indices.sorted {
                (prediction.probabilities[$1], $0) < (prediction.probabilities[$0], $1)
            }
            let answers = ranked.prefix(top).map {
                "\($0) \(String(format: "%.4f", prediction.probabilities[$0]))"
            }
            text += "\(index) " + answers.joined(separator: " ") + "\n"
        }
        Console.outputText(text)
    }
}

/// Images as rows of numbers.
enum PixelText {
    private static let byteLimit = 256 << 20

    static func read(_ path: String, perImage: Int) throws(DataError) -> [UInt8] {
        let bytes: Data?
        if path == "-" {
            bytes = try? FileHandle.standardInput.read(upToCount: byteLimit)
        } else {
            bytes = FileManager.default.contents(atPath: path)
        }
        let name = path == "-" ? "standard input" : path
        guard let bytes, let text = String(data: bytes, encoding: .utf8) else {
            throw DataError(
                file: name, problem: .unreadable(reason: "neither an IDX file nor text"))
        }
        return try parse(text, name: name, perImage: perImage)
    }

    static func parse(
        _ text: String, name: String, perImage: Int
    ) throws(DataError) -> [UInt8] {
        var pixels: [UInt8] = []
        for (number, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            let words = line.split { $0 == "," || $0.isWhitespace }
            guard words.count == perImage else {
                throw DataError(
                    file: name,
                    problem: .unreadable(
                        reason: "row \(number + 1) has \(words.count) numbers, an image of this "
                            + "model has \(perImage)"))
            }
            for word in words {
                guard let value = Double(word), (0...255).contains(value) else {
                    throw DataError(
                        file: name,
                        problem: .unreadable(
                            reason: "row \(number + 1): expected numbers from 0 to 255, got "
                                + "'\(word.prefix(20))'"))
                }
                pixels.append(UInt8(value.rounded()))
            }
        }
        guard !pixels.isEmpty else {
            throw DataError(file: name, problem: .unreadable(reason: "no image in it"))
        }
        return pixels
    }
}
