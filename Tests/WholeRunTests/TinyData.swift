// Small data sets and configurations that the tests write themselves, so that a whole run takes
// about a second. Images are 12 x 12 with a bright block whose place tells the class, under noise.

import Foundation

/// SplitMix64: enough for noise, and the same bytes everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

enum TinyData {
    static let side = 12
    static let classes = 4

    /// Writes the four files of a data set into `folder`.
    static func write(to folder: String, training: Int = 96, test: Int = 40) throws {
        var generator = SeededGenerator(state: 2026)
        for (name, count) in [("train", training), ("t10k", test)] {
            let (images, labels) = split(count, &generator)
            try images.write(to: URL(fileURLWithPath: "\(folder)/\(name)-images-idx3-ubyte"))
            try labels.write(to: URL(fileURLWithPath: "\(folder)/\(name)-labels-idx1-ubyte"))
        }
    }

    private static func split(
        _ count: Int, _ generator: inout SeededGenerator
    ) -> (images: Data, labels: Data) {
        var images = Data([0, 0, 8, 3]) + bigEndian(count) + bigEndian(side) + bigEndian(side)
        var labels = Data([0, 0, 8, 1]) + bigEndian(count)
        for _ in 0..<count {
            let label = Int.random(in: 0..<classes, using: &generator)
            labels.append(UInt8(label))
            for row in 0..<side {
                for column in 0..<side {
                    let isBright = row / 6 == label / 2 && column / 6 == label % 2
                    let noise = UInt8.random(in: 0..<80, using: &generator)
                    images.append(isBright ? 175 + noise : noise)
                }
            }
        }
        return (images, labels)
    }

    private static func bigEndian(_ value: Int) -> Data {
        Data([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) })
    }

    /// A convolution with batch norm, dropout, a residual block, flips and crops: every kind of
    /// state that must not depend on the workers.
    static func configuration(
        dataFolder: String, length: String = "epochs: 2", replicas: Int = 4, classes: Int = classes,
        extra: String = ""
    ) -> String {
        """
        {
          seed: 7, replicas: \(replicas), batchSize: 4, \(length), \(extra)
          data: {
            directory: "\(dataFolder)", classes: \(classes), mean: [0.3], standardDeviation: [0.3],
            trainImages: "train-images-idx3-ubyte", trainLabels: "train-labels-idx1-ubyte",
            testImages: "t10k-images-idx3-ubyte", testLabels: "t10k-labels-idx1-ubyte",
            augmentation: { crop: 1, horizontalFlip: true },
          },
          model: { layers: [
            { type: "conv2d", name: "conv1", outputChannels: 8, kernel: 3, padding: 1 },
            { type: "batchNorm", name: "norm1" },
            { type: "relu" },
            { type: "maxPool2d", kernel: 2 },
            { type: "residual", name: "block", layers: [
              { type: "conv2d", name: "conv", outputChannels: 8, kernel: 3, padding: 1 },
              { type: "batchNorm", name: "norm" } ] },
            { type: "dropout", probability: 0.25 },
            { type: "flatten" },
            { type: "linear", name: "output", outputFeatures: \(classes) },
          ] },
          optimizer: { type: "sgd", learningRate: 0.02, momentum: 0.9 },
        }
        """
    }
}
