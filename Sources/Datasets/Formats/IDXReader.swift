// IDX, the format of MNIST and its successors: a magic number (two zero bytes, the element type,
// the number of dimensions), the dimensions as big-endian 32-bit numbers, the elements; plain or
// gzip.
//
// A file is outside input: nothing is allocated before the header has been checked against the
// file's size, and each way to be wrong has its own error.

/// Images as they lie in the file, [count, height, width, channels], without labels.
public struct IDXImages: Sendable {
    /// Their number and shape.
    public let outline: ImageOutline
    /// [count, height, width, channels]
    public let pixels: [UInt8]
}

/// Reads IDX files of 8-bit elements.
public enum IDXReader {
    private static let labelMagic: UInt32 = 0x0000_0801
    private static let imageMagic: UInt32 = 0x0000_0803
    private static let colorImageMagic: UInt32 = 0x0000_0804
    private static let countLimit: UInt32 = 1 << 28
    private static let sideLimit: UInt32 = 1 << 13
    private static let channelLimit: UInt32 = 256
    private static let byteCountLimit: UInt64 = 64 << 30

    /// The shape of an image file: only the header is read, and what the file's size and gzip's
    /// trailer tell about the length is checked.
    public static func outline(ofImages path: String) throws(DataError) -> ImageOutline {
        let stream = try UnpackedStream(ByteSource(path: path))
        let outline = try imageHeader(stream)
        let headerByteCount = outline.channels == 1 ? 16 : 20
        let expected = UInt64(outline.count) * UInt64(outline.imageByteCount)
        if let trailer = stream.trailerByteCount {
            // Several gzip members are legal but have a trailer each; a full read then decides.
            if trailer != UInt32(truncatingIfNeeded: expected + UInt64(headerByteCount)) {
                _ = try readImages(path)
            }
        } else if stream.byteCountBound > expected + UInt64(headerByteCount) {
            throw DataError(
                file: path, problem: .trailingBytes(expected: expected + UInt64(headerByteCount)))
        }
        return outline
    }

    /// Reads images and their labels.
    public static func read(
        images: String, labels: String, classes: Int
    ) throws(DataError) -> ImageDataset {
        let labelValues = try readLabels(labels)
        let read = try readImages(images)
        guard labelValues.count == read.outline.count else {
            throw DataError(
                file: labels,
                problem: .countMismatch(
                    labels: labelValues.count, images: read.outline.count, imageFile: images))
        }
        return try ImageDataset(
            name: images, labelName: labels, pixels: read.pixels,
            labels: labelValues.map { Int32($0) }, height: read.outline.height,
            width: read.outline.width, channels: read.outline.channels, classes: classes)
    }

    /// Reads an image file alone, for prediction.
    public static func readImages(_ path: String) throws(DataError) -> IDXImages {
        try images(UnpackedStream(ByteSource(path: path)))
    }

    /// Reads a label file alone.
    public static func readLabels(_ path: String) throws(DataError) -> [UInt8] {
        try labels(UnpackedStream(ByteSource(path: path)))
    }

    /// Reads images from the bytes of a file, plain or gzip; `name` stands for the path in errors.
    public static func images(bytes: [UInt8], name: String) throws(DataError) -> IDXImages {
        try images(UnpackedStream(ByteSource(bytes: bytes, name: name)))
    }

    /// Reads labels from the bytes of a file, plain or gzip; `name` stands for the path in errors.
    public static func labels(bytes: [UInt8], name: String) throws(DataError) -> [UInt8] {
        try labels(UnpackedStream(ByteSource(bytes: bytes, name: name)))
    }

    private static func images(_ stream: UnpackedStream) throws(DataError) -> IDXImages {
        let outline = try imageHeader(stream)
        let pixels = try body(
            stream, headerByteCount: outline.channels == 1 ? 16 : 20,
            byteCount: outline.count * outline.imageByteCount)
        return IDXImages(outline: outline, pixels: pixels)
    }

    private static func labels(_ stream: UnpackedStream) throws(DataError) -> [UInt8] {
        _ = try number(stream, offset: 0, expecting: [labelMagic])
        let count = try extent(stream, dimension: 0, limit: countLimit)
        try checkSize(stream, 8 + UInt64(count))
        return try body(stream, headerByteCount: 8, byteCount: count)
    }

    private static func imageHeader(_ stream: UnpackedStream) throws(DataError) -> ImageOutline {
        let magic = try number(stream, offset: 0, expecting: [imageMagic, colorImageMagic])
        let count = try extent(stream, dimension: 0, limit: countLimit)
        let height = try extent(stream, dimension: 1, limit: sideLimit)
        let width = try extent(stream, dimension: 2, limit: sideLimit)
        let isColor = magic == colorImageMagic
        let channels = isColor ? try extent(stream, dimension: 3, limit: channelLimit) : 1
        // The limits allow 28 + 13 + 13 + 8 bits, so this cannot overflow.
        let byteCount = UInt64(count) * UInt64(height) * UInt64(width) * UInt64(channels)
        try checkSize(stream, byteCount + (isColor ? 20 : 16))
        return ImageOutline(count: count, height: height, width: width, channels: channels)
    }

    /// Refuses a size that cannot be true before anything is allocated for it.
    private static func checkSize(
        _ stream: UnpackedStream, _ byteCount: UInt64
    ) throws(DataError) {
        guard byteCount <= byteCountLimit else {
            let problem = DataError.Problem.tooLarge(byteCount: byteCount, limit: byteCountLimit)
            throw DataError(file: stream.name, problem: problem)
        }
        guard byteCount <= stream.byteCountBound else {
            let got = stream.byteCountBound
            throw DataError(
                file: stream.name, problem: .truncated(expected: byteCount, got: got))
        }
    }

    private static func extent(
        _ stream: UnpackedStream, dimension: Int, limit: UInt32
    ) throws(DataError) -> Int {
        let extent = try number(stream, offset: 4 + 4 * dimension, expecting: nil)
        guard (1...limit).contains(extent) else {
            throw DataError(
                file: stream.name,
                problem: .badExtent(dimension: dimension, extent: extent, limit: limit))
        }
        return Int(extent)
    }

    private static func number(
        _ stream: UnpackedStream, offset: Int, expecting magic: [UInt32]?
    ) throws(DataError) -> UInt32 {
        var bytes = [UInt8](repeating: 0, count: 4)
        let got = try read(stream, into: &bytes)
        guard got == 4 else {
            throw DataError(
                file: stream.name,
                problem: .truncated(expected: UInt64(offset + 4), got: UInt64(offset + got)))
        }
        let number = bytes.reduce(0) { $0 << 8 | UInt32($1) }
        if let magic, !magic.contains(number) {
            throw DataError(file: stream.name, problem: .wrongMagic(expected: magic, got: number))
        }
        return number
    }

    private static func body(
        _ stream: UnpackedStream, headerByteCount: Int, byteCount: Int
    ) throws(DataError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        let got = try read(stream, into: &bytes)
        let expected = UInt64(headerByteCount + byteCount)
        guard got == byteCount else {
            throw DataError(
                file: stream.name,
                problem: .truncated(expected: expected, got: UInt64(headerByteCount + got)))
        }
        // Reading on to the end also makes zlib check the trailer's CRC.
        var extra: [UInt8] = [0]
        guard try read(stream, into: &extra) == 0 else {
            throw DataError(file: stream.name, problem: .trailingBytes(expected: expected))
        }
        return bytes
    }

    private static func read(
        _ stream: UnpackedStream, into bytes: inout [UInt8]
    ) throws(DataError) -> Int {
        let result = bytes.withUnsafeMutableBytes { buffer -> Result<Int, DataError> in
            do throws(DataError) {
                return .success(try stream.read(into: buffer))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
