// A split of labelled images in memory, as bytes: a quarter of the floats' size, and normalisation
// is one table look-up per pixel when a batch is made.

/// Labelled 8-bit images, [count, height, width, channels].
public struct ImageDataset: Sendable {
    /// The image file's path; names the data set in errors.
    public let name: String
    /// Images.
    public let count: Int
    /// Pixels from top to bottom.
    public let height: Int
    /// Pixels from left to right.
    public let width: Int
    /// Bytes per pixel.
    public let channels: Int
    /// Labels are 0 ..< classes.
    public let classes: Int
    /// [count, height, width, channels]
    public let pixels: [UInt8]
    /// [count]
    public let labels: [UInt8]

    /// Bytes of one image.
    public var imageByteCount: Int { height * width * channels }
    /// The shape alone.
    public var outline: ImageOutline {
        ImageOutline(count: count, height: height, width: width, channels: channels)
    }

    /// - Throws: `labelOutOfRange`, named for `labelName`.
    /// - Precondition: as many pixels as count, height, width and channels demand.
    public init(
        name: String, labelName: String? = nil, pixels: [UInt8], labels: [UInt8], height: Int,
        width: Int, channels: Int, classes: Int
    ) throws(DataError) {
        precondition(
            pixels.count == labels.count * height * width * channels,
            "\(pixels.count) bytes for \(labels.count) x \(height) x \(width) x \(channels)")
        try IDXReader.checkRange(labels, file: labelName ?? name, classes: classes)
        self.name = name
        self.pixels = pixels
        self.labels = labels
        self.height = height
        self.width = width
        self.channels = channels
        self.classes = classes
        count = labels.count
    }

    /// The first `limit` samples.
    public func prefix(_ limit: Int) throws(DataError) -> ImageDataset {
        guard limit <= count else {
            throw DataError(
                file: name,
                problem: .tooFewSamples(
                    available: count, needed: limit, reason: "the configured number of samples"))
        }
        return try ImageDataset(
            name: name, pixels: Array(pixels.prefix(limit * imageByteCount)),
            labels: Array(labels.prefix(limit)), height: height, width: width, channels: channels,
            classes: classes)
    }
}
