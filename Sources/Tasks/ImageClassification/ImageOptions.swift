import Configuration
import Datasets

/// What is done to images before a step sees them: the task's keys in `data`.
struct ImageOptions: Sendable {
    let classes: Int
    /// Per channel, of pixels scaled to 0...1.
    let mean: [Double]
    let standardDeviation: [Double]
    let augmentation: Augmentation
    let lastBatch: StepPlan.LastBatch
    /// Use only the first samples of a split (trials on little data); nil: all.
    private let trainSamples: Int?
    private let testSamples: Int?

    static let keys = [
        "classes", "mean", "standardDeviation", "augmentation", "lastBatch", "trainSamples",
        "testSamples",
    ]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        classes = try reader.integer("classes", 2...16_777_216) ?? 10
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
        let changes = try reader.object("augmentation", keys: ["horizontalFlip", "crop"])
        augmentation = Augmentation(
            horizontalFlip: try changes.bool("horizontalFlip") ?? false,
            cropPadding: try changes.integer("crop", 0...64) ?? 0)
        lastBatch = try reader.lastBatch()
        trainSamples = try reader.integer("trainSamples", 1...Int.max)
        testSamples = try reader.integer("testSamples", 1...Int.max)
    }

    var resolved: [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = [
            "classes": .integer(classes), "mean": .array(mean.map { .number($0) }),
            "standardDeviation": .array(standardDeviation.map { .number($0) }),
            "augmentation": .object([
                "horizontalFlip": .bool(augmentation.horizontalFlip),
                "crop": .integer(augmentation.cropPadding),
            ]), "lastBatch": .string(lastBatch.rawValue),
        ]
        members["trainSamples"] = trainSamples.map { .integer($0) }
        members["testSamples"] = testSamples.map { .integer($0) }
        return members
    }

    func limit(_ split: Split) -> Int? {
        switch split {
        case .training: trainSamples
        case .test: testSamples
        }
    }

    /// The samples of a split that are used.
    func count(
        _ split: Split, of available: ImageOutline, _ file: String
    ) throws(DataError) -> Int {
        guard let limit = limit(split) else { return available.count }
        guard limit <= available.count else {
            let key = split == .training ? "data.trainSamples" : "data.testSamples"
            throw DataError(
                file: file,
                problem: .tooFewSamples(available: available.count, needed: limit, reason: key))
        }
        return limit
    }

    /// - Throws: `channelMismatch` naming `file` when mean and deviation are for other images.
    func checkChannels(_ images: ImageOutline, file: String) throws(DataError) {
        guard mean.count == images.channels else {
            throw DataError(
                file: file,
                problem: .channelMismatch(channels: images.channels, given: mean.count))
        }
    }

    /// Makes batches of a data set.
    func assembler(
        _ dataset: ImageDataset, seed: UInt64, augmentation: Augmentation = .none
    ) throws(DataError) -> ImageBatchAssembler {
        try ImageBatchAssembler(
            dataset: dataset, seed: seed, mean: mean, standardDeviation: standardDeviation,
            augmentation: augmentation)
    }
}
