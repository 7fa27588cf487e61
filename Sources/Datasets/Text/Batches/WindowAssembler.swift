// Windows of a long text for a language model: T tokens to read, and the same shifted by one to
// predict. Where the windows of an epoch lie and in which order they come are pure functions of
// (seed, epoch), so whoever computes a replica finds its windows by arithmetic.
//
// Random windows start anywhere, as in nanoGPT; an epoch is as many as asked for. Tiled windows lie
// side by side, so an epoch reads each token once; each epoch shifts the tiling, so that the
// borders of the windows differ. Evaluation reads all of the text in order, the rest in a shorter
// window.

/// How training draws its windows.
public enum WindowSampling: Equatable, Sendable {
    /// Side by side, shifted by less than a window in each epoch, in shuffled order.
    case tiled
    /// At random offsets, which may overlap; nil: as many an epoch as cover the text's length once.
    case random(perEpoch: Int?)
}

/// Turns requests into batches of windows of one split.
public struct WindowAssembler: BatchAssembling {
    /// Names the text in errors.
    public let name: String
    /// The split.
    public let tokens: [Int32]
    /// T: tokens read, and tokens predicted.
    public let context: Int
    /// The run's seed.
    public let seed: UInt64
    /// Of training requests.
    public let sampling: WindowSampling
    /// Windows of a training epoch: the plan's sample count.
    public let sampleCount: Int
    /// Windows of an evaluation in order; the last may be shorter.
    public let evaluationCount: Int

    /// - Throws: `tooFewTokens` if there is not one whole window.
    public init(
        name: String, tokens: [Int32], context: Int, seed: UInt64, sampling: WindowSampling
    ) throws(DataError) {
        precondition(context > 0, "context \(context)")
        guard tokens.count > context else {
            throw DataError(
                file: name,
                problem: .text(
                    .tooFewTokens(available: tokens.count, needed: context + 1, context: context)))
        }
        self.name = name
        self.tokens = tokens
        self.context = context
        self.seed = seed
        self.sampling = sampling
        switch sampling {
        case .tiled:
            // One window less than would fit, if need be, so that any shift leaves as many.
            sampleCount = max(1, (tokens.count - context) / context)
        case .random(let perEpoch):
            let count = perEpoch ?? (tokens.count - 1) / context
            precondition(count > 0 && count <= Int(UInt32.max), "\(count) windows an epoch")
            sampleCount = count
        }
        evaluationCount = (tokens.count - 1 + context - 1) / context
    }

    /// Where a sample of an epoch starts: it reads `context` tokens from here and predicts those
    /// from here + 1.
    public func start(epoch: Int, sample: UInt32) -> Int {
        switch sampling {
        case .random:
            return RandomDraws(seed: seed, purpose: .windows, stream: UInt64(epoch))
                .number(at: UInt64(sample), below: tokens.count - context)
        case .tiled:
            let slack = min(context - 1, tokens.count - 1 - sampleCount * context)
            let shift = RandomDraws(seed: seed, purpose: .tiling)
                .number(at: UInt64(epoch), below: slack + 1)
            return shift + Int(sample) * context
        }
    }

    /// A batch that fits this data set's windows.
    public func makeBatch(capacity: Int) -> SequenceBatch {
        SequenceBatch(capacity: capacity, targetLimit: context)
    }

    /// The shuffled order of an epoch.
    public func order(ofEpoch epoch: Int) -> SampleOrder {
        SampleOrder(seed: seed, epoch: epoch, sampleCount: sampleCount)
    }

    /// Fills `batch` with what is asked for.
    /// - Parameter order: the epoch's order, for a training request.
    /// - Precondition: the positions exist and fit into the batch.
    public func fill(_ batch: SequenceBatch, with request: BatchRequest, order: SampleOrder?) {
        let positions = request.positions
        batch.begin(request, length: context, sourceLength: 0)
        for (row, position) in positions.enumerated() {
            let start: Int
            switch request {
            case .training(let epoch, _):
                precondition(
                    order?.epoch == epoch && order?.samples.count == sampleCount,
                    "the order given is not that of epoch \(epoch)")
                let sample = order?.samples[position] ?? 0
                batch.sampleIndices[row] = sample
                start = self.start(epoch: epoch, sample: sample)
            case .inOrder:
                precondition((0..<evaluationCount).contains(position), "window \(position)")
                batch.sampleIndices[row] = UInt32(position)
                start = position * context
            }
            let used = min(context, tokens.count - 1 - start)
            tokens.withUnsafeBufferPointer { tokens in
                guard let from = tokens.baseAddress else { return }
                (batch.inputs + row * context).update(from: from + start, count: used)
                (batch.targets + row * context).update(from: from + start + 1, count: used)
            }
            batch.finish(row: row, used: used)
        }
    }
}
