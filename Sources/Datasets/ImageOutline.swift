/// The shape of a file or a split, known from the headers alone.
public struct ImageOutline: Equatable, Sendable {
    /// Images.
    public let count: Int
    /// Pixels from top to bottom.
    public let height: Int
    /// Pixels from left to right.
    public let width: Int
    /// Bytes per pixel.
    public let channels: Int

    /// Elements of one image.
    public var imageByteCount: Int { height * width * channels }
    /// In the order in which shapes are written for people: channels x height x width.
    public var shapeText: String { "\(channels) x \(height) x \(width)" }
}

extension Column.Outline {
    /// The shape of a column of images.
    /// - Throws: `wrongKind` for another column.
    package func images() throws(DataError) -> ImageOutline {
        guard case .image(let height, let width, let channels) = kind else {
            throw DataError(
                file: file, problem: .wrongKind(column: name, expected: "an image", got: "\(kind)"))
        }
        return ImageOutline(
            count: count ?? 0, height: height, width: width, channels: channels)
    }
}
