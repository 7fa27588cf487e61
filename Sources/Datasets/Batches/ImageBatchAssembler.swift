// How a batch of images is filled: look up, mirror, shift. Filling is a pure function of the
// request; it is done by the prefetcher's thread, or directly where there is nothing to hide.

/// Turns requests into batches of one data set.
public struct ImageBatchAssembler: BatchAssembling {
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
                    batch.labels[row] = dataset.labels[Int(sample)]
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
