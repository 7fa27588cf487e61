import Datasets
import Foundation

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
            let fields = line.split { $0 == "," || $0.isWhitespace }
            guard fields.count == perImage else {
                throw DataError(
                    file: name,
                    problem: .unreadable(
                        reason: "row \(number + 1) has \(fields.count) numbers, an image of this "
                            + "model has \(perImage)"))
            }
            for field in fields {
                guard let value = Double(field), (0...255).contains(value) else {
                    throw DataError(
                        file: name,
                        problem: .unreadable(
                            reason: "row \(number + 1): expected numbers from 0 to 255, got "
                                + "'\(field.prefix(20))'"))
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
