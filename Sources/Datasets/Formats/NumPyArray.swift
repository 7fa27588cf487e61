// NumPy's .npy: a magic number, the version, the header's length, the header, the elements.
//
// An array is outside input: nothing is allocated before the header has been checked against the
// file's size.

/// An array whose header has been read and whose elements come next.
struct NumPyArray {
    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    /// Headers of numbers take less than a hundred bytes.
    private static let headerByteCountLimit: UInt64 = 1 << 16
    private static let countLimit: UInt64 = 1 << 28
    private static let sideLimit: UInt64 = 1 << 13
    private static let channelLimit: UInt64 = 256
    private static let pieceByteCount = 1 << 20

    /// Names the array in errors.
    var name: String { stream.name }
    private let header: NumPyHeader
    private let stream: any ByteStream
    /// Where the elements begin.
    private let offset: UInt64

    /// Reads the header.
    init(_ stream: any ByteStream) throws(DataError) {
        self.stream = stream
        let start = try stream.bytes(8, from: 0)
        guard start.starts(with: Self.magic) else {
            throw stream.unusable(
                start.starts(with: [0x50, 0x4b])
                    ? "it is an archive of arrays (.npz), which is named in data.path"
                    : "it is no array of NumPy (.npy)")
        }
        let (major, minor) = (start[6], start[7])
        guard (1...3).contains(major), minor == 0 else {
            throw stream.unusable("the format's version is \(major).\(minor), expected 1.0 to 3.0")
        }
        let lengthByteCount = major == 1 ? 2 : 4
        let length = try stream.bytes(lengthByteCount, from: 8).reversed()
            .reduce(0) { $0 << 8 | UInt64($1) }
        guard length <= Self.headerByteCountLimit else {
            throw DataError(
                file: stream.name,
                problem: .tooLarge(byteCount: length, limit: Self.headerByteCountLimit))
        }
        offset = UInt64(8 + lengthByteCount) + length
        let text = try stream.bytes(Int(length), from: offset - length)
        guard let header = NumPyHeader(text) else {
            throw stream.unusable("its header is damaged; save the array again")
        }
        guard !header.isOfObjects else {
            throw stream.unusable(
                "it holds Python objects (a pickle), which are never unpacked; save an array of "
                    + "numbers, for instance np.stack(x)")
        }
        self.header = header
    }

    /// The shape of the array as images, [N, height, width] or [N, height, width, channels].
    /// - Throws: also when the file is not as long as the shape demands.
    func imageOutline() throws(DataError) -> ImageOutline {
        guard header.isOfBytes else {
            throw stream.unusable(
                "its elements are \(header.typeName), but images are uint8, 0 to 255; save them "
                    + "with (255 * x).astype('uint8') if they are 0 to 1, or x.astype('uint8')")
        }
        guard (3...4).contains(header.shape.count) else {
            throw stream.unusable(
                "its shape is \(header.shapeText), but images are (N, height, width) or (N, "
                    + "height, width, channels); save them with x.reshape")
        }
        let limits = [Self.countLimit, Self.sideLimit, Self.sideLimit, Self.channelLimit]
        try checkExtents(limits: limits)
        let extents = header.shape.map { Int($0) }
        let outline = ImageOutline(
            count: extents[0], height: extents[1], width: extents[2],
            channels: extents.count == 4 ? extents[3] : 1)
        try checkLength(UInt64(outline.count) * UInt64(outline.imageByteCount))
        return outline
    }

    /// Reads images into [N, height, width, channels], in whichever order they lie.
    func pixels(_ outline: ImageOutline) throws(DataError) -> [UInt8] {
        let count = outline.count * outline.imageByteCount
        guard header.isFortranOrder else {
            let pixels = try stream.bytes(count, from: offset)
            try checkEnd()
            return pixels
        }
        var pixels = [UInt8](repeating: 0, count: count)
        let (height, width) = (outline.height, outline.width)
        // A row is one pixel of all images. Rows go from top to bottom, then from left to right.
        let rows = outline.imageByteCount
        let step = max(1, Self.pieceByteCount / outline.count)
        for first in stride(from: 0, to: rows, by: step) {
            let range = first..<min(first + step, rows)
            let piece = try stream.bytes(
                range.count * outline.count, from: offset + UInt64(first * outline.count))
            for row in range {
                let (y, x, channel) = (row % height, row / height % width, row / height / width)
                let place = (y * width + x) * outline.channels + channel
                let start = (row - first) * outline.count
                for image in 0..<outline.count {
                    pixels[image * rows + place] = piece[start + image]
                }
            }
        }
        try checkEnd()
        return pixels
    }

    /// Reads labels, [N] or [N, 1] whole numbers.
    func labels() throws(DataError) -> [Int32] {
        guard let decode = IntegerDecoder(header.type) else {
            throw stream.unusable(
                "its elements are \(header.typeName), but labels are whole numbers; save them with "
                    + "y.astype('int64')")
        }
        let isColumn = header.shape.count == 2 && header.shape[1] == 1
        guard header.shape.count == 1 || isColumn else {
            throw stream.unusable(
                "its shape is \(header.shapeText), but labels are (N,) or (N, 1); save them with "
                    + "y.argmax(axis=1) if they are one-hot")
        }
        try checkExtents(limits: [Self.countLimit, 1])
        let count = Int(header.shape[0])
        try checkLength(UInt64(count * decode.byteCount))
        var labels: [Int32] = []
        labels.reserveCapacity(count)
        while labels.count < count {
            let start = labels.count
            let pieceCount = min(count - start, Self.pieceByteCount / decode.byteCount)
            let piece = try stream.bytes(
                pieceCount * decode.byteCount, from: offset + UInt64(start * decode.byteCount))
            for index in 0..<pieceCount {
                let value = decode(piece, at: index * decode.byteCount)
                guard let label = value.label else {
                    throw stream.unusable(
                        "label \(value.text) of sample \(start + index) is out of range, expected "
                            + "0 to \(Int32.max)")
                }
                labels.append(label)
            }
        }
        try checkEnd()
        return labels
    }

    private func checkExtents(limits: [UInt64]) throws(DataError) {
        for (dimension, (extent, limit)) in zip(header.shape, limits).enumerated()
        where !(1...limit).contains(extent) {
            throw stream.unusable(
                "dimension \(dimension) of its shape \(header.shapeText) is \(extent), "
                    + "expected 1 to \(limit)")
        }
    }

    /// Refuses a shape that cannot be true before anything is allocated for it.
    private func checkLength(_ byteCount: UInt64) throws(DataError) {
        let expected = offset + byteCount
        guard expected <= stream.byteCount else {
            throw DataError(
                file: name, problem: .truncated(expected: expected, got: stream.byteCount))
        }
        guard expected == stream.byteCount else {
            throw DataError(file: name, problem: .trailingBytes(expected: expected))
        }
    }

    /// Reading on to the end has an archive's checksum compared.
    private func checkEnd() throws(DataError) {
        var extra: [UInt8] = [0]
        let got = try extra.fill { buffer throws(DataError) in try stream.read(into: buffer) }
        guard got == 0 else {
            throw DataError(file: name, problem: .trailingBytes(expected: stream.byteCount))
        }
    }
}

extension ByteStream {
    /// The next `count` bytes, which are the ones from `offset` on.
    fileprivate func bytes(_ count: Int, from offset: UInt64) throws(DataError) -> [UInt8] {
        let end = offset + UInt64(count)
        guard end <= byteCount else {
            throw DataError(file: name, problem: .truncated(expected: end, got: byteCount))
        }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try bytes.fill { buffer throws(DataError) in try read(into: buffer) }
        guard got == count else {
            throw DataError(
                file: name, problem: .truncated(expected: end, got: offset + UInt64(got)))
        }
        return bytes
    }

    fileprivate func unusable(_ reason: String) -> DataError {
        DataError(file: name, problem: .unreadable(reason: reason))
    }
}

/// Reads whole numbers of 8 to 64 bits in either byte order.
private struct IntegerDecoder {
    /// Bytes of a number.
    let byteCount: Int
    private let isSigned: Bool
    private let isBigEndian: Bool

    /// - Returns: nil if NumPy's short form `type` is no such number.
    init?(_ type: String) {
        let letters = Array(type)
        guard letters.count == 3, "iu".contains(letters[1]),
            let byteCount = Int(String(letters[2])), [1, 2, 4, 8].contains(byteCount),
            letters[0] == "<" || letters[0] == ">" || (letters[0] == "|" && byteCount == 1)
        else { return nil }
        self.byteCount = byteCount
        isSigned = letters[1] == "i"
        isBigEndian = letters[0] == ">"
    }

    func callAsFunction(_ bytes: [UInt8], at offset: Int) -> (label: Int32?, text: String) {
        var bits: UInt64 = 0
        for index in 0..<byteCount {
            let place = isBigEndian ? index : byteCount - 1 - index
            bits = bits << 8 | UInt64(bytes[offset + place])
        }
        guard isSigned else { return (Int32(exactly: bits), "\(bits)") }
        let shift = 64 - 8 * byteCount
        let number = Int64(bitPattern: bits << shift) >> shift
        return (Int32(exactly: number), "\(number)")
    }
}
