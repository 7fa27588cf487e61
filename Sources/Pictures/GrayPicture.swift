import CPNG
import Checkpoints
import ExitCodes
import Foundation

/// A picture that cannot be written.
package struct PictureError: ExitCoded, CustomStringConvertible {
    let path: String
    let reason: String

    package var exitCode: ExitCode { .failed }
    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { "cannot write the picture \(path): \(reason)" }
}

/// A picture of gray dots, 0 black to 255 white.
package struct GrayPicture {
    package let width: Int
    package let height: Int
    package private(set) var dots: [UInt8]

    /// A white one.
    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
        dots = [UInt8](repeating: 255, count: width * height)
    }

    /// Fills a rectangle, as far as it lies in the picture.
    package mutating func fill(x: Int, y: Int, width: Int, height: Int, gray: UInt8) {
        for row in max(0, y)..<max(0, y, min(self.height, y + height)) {
            for column in max(0, x)..<max(0, x, min(self.width, x + width)) {
                dots[row * self.width + column] = gray
            }
        }
    }

    /// One character in black, its dots `scale` wide.
    package mutating func draw(_ character: Character, x: Int, y: Int, scale: Int) {
        for (column, bits) in GlyphTable.columns(of: character).enumerated() {
            for row in 0..<GlyphTable.height where bits >> row & 1 == 1 {
                fill(
                    x: x + column * scale, y: y + row * scale, width: scale, height: scale, gray: 0)
            }
        }
    }

    /// Writes it as a PNG; a file of the name is replaced in one piece.
    package func write(to path: String) throws(PictureError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw PictureError(path: path, reason: "something that is no regular file is there")
        }
        let bytes = try encoded(for: path)
        do {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw PictureError(path: path, reason: error.reason)
        }
    }

    private func encoded(for path: String) throws(PictureError) -> Data {
        var image = png_image()
        defer { png_image_free(&image) }
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        image.width = png_uint_32(width)
        image.height = png_uint_32(height)
        // PNG_FORMAT_GRAY: one byte a dot, no colors, no transparency.
        image.format = 0
        // First asked how much it will be, then for the bytes.
        var byteCount = png_alloc_size_t(0)
        var bytes = Data()
        for _ in 0..<2 {
            bytes = Data(count: Int(byteCount))
            let isDone = bytes.withUnsafeMutableBytes { buffer in
                png_image_write_to_memory(
                    &image, byteCount == 0 ? nil : buffer.baseAddress, &byteCount, 0, dots,
                    png_int_32(width), nil)
            }
            guard isDone != 0 else {
                let reason = withUnsafeBytes(of: image.message) { message in
                    String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
                }
                throw PictureError(path: path, reason: reason)
            }
        }
        return bytes.prefix(Int(byteCount))
    }
}
