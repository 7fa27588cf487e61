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
    public let labels: [Int32]

    /// Bytes of one image.
    public var imageByteCount: Int { height * width * channels }
    /// The shape alone.
    public var outline: ImageOutline {
        ImageOutline(count: count, height: height, width: width, channels: channels)
    }

    /// - Throws: `labelOutOfRange`, named for `labelName`.
    /// - Precondition: as many pixels as count, height, width and channels demand.
    public init(
        name: String, labelName: String? = nil, pixels: [UInt8], labels: [Int32], height: Int,
        width: Int, channels: Int, classes: Int
    ) throws(DataError) {
        precondition(
            pixels.count == labels.count * height * width * channels,
            "\(pixels.count) bytes for \(labels.count) x \(height) x \(width) x \(channels)")
        try Self.checkRange(labels, file: labelName ?? name, classes: classes)
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

    /// - Throws: `labelOutOfRange` for the first label that is no class.
    package static func checkRange(
        _ labels: [Int32], file: String, classes: Int
    ) throws(DataError) {
        guard let sample = labels.firstIndex(where: { !(0..<classes).contains(Int($0)) }) else {
            return
        }
        throw DataError(
            file: file,
            problem: .labelOutOfRange(
                label: Int(labels[sample]), sample: sample, classes: classes))
    }
}

extension ImageDataset {
    /// The columns "image" and "label" of what a format has read.
    package init(_ dataset: Dataset, classes: Int) throws(DataError) {
        let images = try dataset.column("image")
        let labels = try dataset.column("label")
        let outline = try images.outline.images()
        guard case .images(let pixels) = images.values, case .labels(let values) = labels.values
        else {
            throw DataError(
                file: labels.outline.file,
                problem: .wrongKind(
                    column: "label", expected: "a class", got: "\(labels.outline.kind)"))
        }
        try self.init(
            name: dataset.name, labelName: labels.outline.file, pixels: pixels, labels: values,
            height: outline.height, width: outline.width, channels: outline.channels,
            classes: classes)
    }
}
