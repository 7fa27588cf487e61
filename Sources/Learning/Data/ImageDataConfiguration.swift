// Images and their labels: where they are and what is done to them before a step sees them.

import Configuration

package struct ImageDataConfiguration: Sendable, Equatable {
    /// Where file names without a leading "/" are looked up; nil: the working folder.
    package var directory: String?
    package var trainImages: String
    package var trainLabels: String
    package var testImages: String
    package var testLabels: String
    package var classes: Int
    /// Per channel, of pixels scaled to 0...1.
    package var mean: [Double]
    package var standardDeviation: [Double]
    package var augmentation: AugmentationConfiguration
    package var lastBatch: DataConfiguration.LastBatch
    /// Use only the first samples of a split (trials on little data); nil: all.
    package var trainSamples: Int?
    package var testSamples: Int?

    package var trainImagesPath: String { path(trainImages) }
    package var trainLabelsPath: String { path(trainLabels) }
    package var testImagesPath: String { path(testImages) }
    package var testLabelsPath: String { path(testLabels) }

    private func path(_ fileName: String) -> String {
        guard let directory, !fileName.hasPrefix("/") else { return fileName }
        return directory.hasSuffix("/") ? directory + fileName : "\(directory)/\(fileName)"
    }

    /// The same files by name in another folder, as `evaluate --data` asks for.
    package func relocated(to directory: String) -> ImageDataConfiguration {
        func lastPart(_ path: String) -> String {
            path.split(separator: "/").last.map(String.init) ?? path
        }
        var copy = self
        copy.directory = directory
        copy.trainImages = lastPart(trainImages)
        copy.trainLabels = lastPart(trainLabels)
        copy.testImages = lastPart(testImages)
        copy.testLabels = lastPart(testLabels)
        return copy
    }

    /// The file names that MNIST and its successors are published under.
    private static let standardNames = [
        "trainImages": "train-images-idx3-ubyte.gz", "trainLabels": "train-labels-idx1-ubyte.gz",
        "testImages": "t10k-images-idx3-ubyte.gz", "testLabels": "t10k-labels-idx1-ubyte.gz",
    ]

    static let keys = [
        "format", "directory", "trainImages", "trainLabels", "testImages", "testLabels",
        "classes", "mean", "standardDeviation", "augmentation", "lastBatch",
        "trainSamples", "testSamples",
    ]

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("data", keys: Self.keys)
        let directory = try reader.text("directory")
        self.directory = directory
        func fileName(_ key: String) throws(ConfigurationError) -> String {
            if let name = try reader.text(key) { return name }
            guard directory != nil, let name = Self.standardNames[key] else {
                throw reader.missing(key, "a file's path, or \"data.directory\" for all four files")
            }
            return name
        }
        trainImages = try fileName("trainImages")
        trainLabels = try fileName("trainLabels")
        testImages = try fileName("testImages")
        testLabels = try fileName("testLabels")
        classes = try reader.integer("classes", 2...256) ?? 10
        mean = try reader.numbers("mean", .any) ?? [0]
        standardDeviation =
            try reader.numbers("standardDeviation", .positive)
            ?? [Double](repeating: 1, count: mean.count)
        guard !mean.isEmpty else { throw reader.outOfRange("mean", "one number per channel", "[]") }
        guard standardDeviation.count == mean.count else {
            throw reader.conflict(
                "standardDeviation",
                "has \(standardDeviation.count) numbers but \"mean\" has \(mean.count)")
        }
        augmentation = try AugmentationConfiguration(reader)
        lastBatch = try reader.name("lastBatch") ?? .pad
        trainSamples = try reader.integer("trainSamples", 1...Int.max)
        testSamples = try reader.integer("testSamples", 1...Int.max)
    }

    var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "format": .string(DataConfiguration.Format.idx.rawValue),
            "trainImages": .string(trainImages),
            "trainLabels": .string(trainLabels), "testImages": .string(testImages),
            "testLabels": .string(testLabels), "classes": .integer(classes),
            "mean": .array(mean.map { .number($0) }),
            "standardDeviation": .array(standardDeviation.map { .number($0) }),
            "augmentation": augmentation.resolved, "lastBatch": .string(lastBatch.rawValue),
        ]
        members["directory"] = directory.map { .string($0) }
        members["trainSamples"] = trainSamples.map { .integer($0) }
        members["testSamples"] = testSamples.map { .integer($0) }
        return .object(members)
    }
}

/// Random changes to a training image; chosen per (seed, epoch, sample).
package struct AugmentationConfiguration: Sendable, Equatable {
    /// Mirror left and right with probability one half.
    package var horizontalFlip: Bool
    /// Pad with zero pixels by this much on each side, then cut the original size at random.
    package var crop: Int

    package var isActive: Bool { horizontalFlip || crop > 0 }

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("augmentation", keys: ["horizontalFlip", "crop"])
        horizontalFlip = try reader.bool("horizontalFlip") ?? false
        crop = try reader.integer("crop", 0...64) ?? 0
    }

    var resolved: ConfigurationValue {
        .object(["horizontalFlip": .bool(horizontalFlip), "crop": .integer(crop)])
    }
}
