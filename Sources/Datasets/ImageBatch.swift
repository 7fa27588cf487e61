// A batch's memory and how it is filled: look up, mirror, shift. Filling is a pure function of the
// request; it is done by the prefetcher's thread, or directly where there is nothing to hide.

import Kernels

/// Which samples a batch holds.
public enum BatchRequest: Equatable, Sendable {
    /// Positions in the shuffled order of an epoch, augmented.
    case training(epoch: Int, positions: Range<Int>)
    /// Samples in the file's order, as they are.
    case inOrder(Range<Int>)

    /// The positions asked for, in whichever order is meant.
    public var positions: Range<Int> {
        switch self {
        case .training(_, let positions), .inOrder(let positions): positions
        }
    }
}

/// Normalised images and labels. The memory is allocated once for `capacity` samples and reused.
public final class ImageBatch: @unchecked Sendable {
    // One owner at a time: the prefetcher's thread fills it, then hands it over.

    /// The most samples it can hold.
    public let capacity: Int
    /// Samples in it; may be 0 at the end of an epoch.
    public fileprivate(set) var count = 0
    /// Elements per image.
    public let imageElementCount: Int
    /// [count, height, width, channels]
    public let pixels: UnsafeMutablePointer<Float>
    /// [count]
    public let labels: UnsafeMutablePointer<Int32>
    /// [count]: which samples of the data set these are.
    public let sampleIndices: UnsafeMutablePointer<UInt32>
    /// What was asked for.
    public fileprivate(set) var request = BatchRequest.inOrder(0..<0)

    /// An empty batch with room for `capacity` images.
    public init(capacity: Int, imageElementCount: Int) {
        self.capacity = capacity
        self.imageElementCount = imageElementCount
        let elementCount = max(1, capacity * imageElementCount)
        // 64 bytes: a cache line, and the widest vector register.
        pixels =
            UnsafeMutableRawPointer
            .allocate(byteCount: elementCount * MemoryLayout<Float>.stride, alignment: 64)
            .bindMemory(to: Float.self, capacity: elementCount)
        labels = .allocate(capacity: max(1, capacity))
        sampleIndices = .allocate(capacity: max(1, capacity))
        pixels.initialize(repeating: 0, count: elementCount)
        labels.initialize(repeating: 0, count: max(1, capacity))
        sampleIndices.initialize(repeating: 0, count: max(1, capacity))
    }

    deinit {
        UnsafeMutableRawPointer(pixels).deallocate()
        labels.deallocate()
        sampleIndices.deallocate()
    }
}

/// Random changes to training images.
public struct Augmentation: Equatable, Sendable {
    /// Mirror left and right with probability one half.
    public var horizontalFlip: Bool
    /// Zero pixels added on each side before the original size is cut out at random.
    public var cropPadding: Int

    /// By default images are left as they are.
    public init(horizontalFlip: Bool = false, cropPadding: Int = 0) {
        self.horizontalFlip = horizontalFlip
        self.cropPadding = cropPadding
    }

    /// Images are left as they are.
    public static let none = Augmentation()

    /// What happens to one image: mirrored or not, and where the cut's corner lies relative to the
    /// image's. Keyed by (seed, epoch, sample), never by when or where it is computed.
    public func choice(
        seed: UInt64, epoch: Int, sample: UInt32
    ) -> (isMirrored: Bool, down: Int, right: Int) {
        guard self != .none else { return (false, 0, 0) }
        let words = RandomPurpose.augmentation.generator(seed: seed)
            .block(counter: (UInt64(sample), UInt64(epoch)))
        func offset(_ word: UInt32) -> Int {
            Int((UInt64(word) * UInt64(2 * cropPadding + 1)) >> 32) - cropPadding
        }
        return (horizontalFlip && words.0 >> 31 == 1, offset(words.1), offset(words.2))
    }
}

/// Turns requests into batches of one data set.
public struct BatchAssembler: BatchAssembling {
    /// Where the samples come from.
    public let dataset: ImageDataset
    /// The run's seed.
    public let seed: UInt64
    /// Applied to training requests only.
    public let augmentation: Augmentation
    /// [channels, 256]: the normalised value of each byte.
    private let normalised: [Float]

    /// - Parameters:
    ///   - mean: per channel, of pixels scaled to 0...1.
    ///   - standardDeviation: likewise.
    public init(
        dataset: ImageDataset, seed: UInt64, mean: [Double], standardDeviation: [Double],
        augmentation: Augmentation = .none
    ) throws(DataError) {
        guard mean.count == dataset.channels, standardDeviation.count == dataset.channels else {
            let given = mean.count == dataset.channels ? standardDeviation.count : mean.count
            throw DataError(
                file: dataset.name,
                problem: .channelMismatch(channels: dataset.channels, given: given))
        }
        self.dataset = dataset
        self.seed = seed
        self.augmentation = augmentation
        var table: [Float] = []
        for channel in 0..<dataset.channels {
            for byte in 0..<256 {
                let scaled = Double(byte) / 255
                table.append(Float((scaled - mean[channel]) / standardDeviation[channel]))
            }
        }
        normalised = table
    }

    /// A batch that fits this data set's images.
    public func makeBatch(capacity: Int) -> ImageBatch {
        ImageBatch(capacity: capacity, imageElementCount: dataset.imageByteCount)
    }

    /// The shuffled order of an epoch.
    public func order(ofEpoch epoch: Int) -> SampleOrder {
        SampleOrder(seed: seed, epoch: epoch, sampleCount: dataset.count)
    }

    /// Fills `batch` with what is asked for.
    /// - Parameter order: the epoch's order, for a training request.
    /// - Precondition: the positions exist and fit into the batch.
    public func fill(_ batch: ImageBatch, with request: BatchRequest, order: SampleOrder?) {
        let positions = request.positions
        precondition(positions.count <= batch.capacity, "\(positions.count) in \(batch.capacity)")
        precondition(
            positions.lowerBound >= 0 && positions.upperBound <= dataset.count,
            "positions \(positions) of \(dataset.count) samples")
        precondition(batch.imageElementCount == dataset.imageByteCount, "batch of other images")
        var epoch: Int?
        if case .training(let requested, _) = request {
            precondition(
                order?.epoch == requested && order?.samples.count == dataset.count,
                "the order given is not that of epoch \(requested)")
            epoch = requested
        }
        batch.request = request
        batch.count = positions.count
        dataset.pixels.withUnsafeBufferPointer { pixels in
            normalised.withUnsafeBufferPointer { table in
                for (row, position) in positions.enumerated() {
                    let sample = epoch == nil ? UInt32(position) : order?.samples[position] ?? 0
                    batch.sampleIndices[row] = sample
                    batch.labels[row] = Int32(dataset.labels[Int(sample)])
                    guard let from = pixels.baseAddress, let table = table.baseAddress else {
                        return
                    }
                    var choice = (isMirrored: false, down: 0, right: 0)
                    if let epoch {
                        choice = augmentation.choice(seed: seed, epoch: epoch, sample: sample)
                    }
                    copyImage(
                        from + Int(sample) * dataset.imageByteCount,
                        to: batch.pixels + row * dataset.imageByteCount, table, choice)
                }
            }
        }
    }

    private func copyImage(
        _ source: UnsafePointer<UInt8>, to destination: UnsafeMutablePointer<Float>,
        _ table: UnsafePointer<Float>, _ choice: (isMirrored: Bool, down: Int, right: Int)
    ) {
        let (height, width, channels) = (dataset.height, dataset.width, dataset.channels)
        if choice == (false, 0, 0), channels == 1 {
            for i in 0..<(height * width) { destination[i] = table[Int(source[i])] }
            return
        }
        for y in 0..<height {
            for x in 0..<width {
                // The image is cut first and mirrored then.
                let sourceY = y + choice.down
                let sourceX = (choice.isMirrored ? width - 1 - x : x) + choice.right
                let isInside =
                    sourceY >= 0 && sourceY < height && sourceX >= 0 && sourceX < width
                let from = source + (isInside ? (sourceY * width + sourceX) * channels : 0)
                for channel in 0..<channels {
                    let byte = isInside ? Int(from[channel]) : 0
                    destination[(y * width + x) * channels + channel] = table[channel * 256 + byte]
                }
            }
        }
    }
}
