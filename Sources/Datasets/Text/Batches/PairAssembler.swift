// Batches of pairs for sequence to sequence. The decoder reads "begin, target" and predicts
// "target, end"; sources are as they are. A batch is as wide as its longest pair, so pairs of
// similar length should meet: see LengthBuckets.

/// Turns requests into batches of pairs.
public struct PairAssembler: BatchAssembling {
    /// Names the pairs in errors.
    public let name: String
    /// The run's seed.
    public let seed: UInt64
    /// Tokens, one row a sample.
    public let sources: RaggedRows<Int32>
    /// Tokens without begin and end.
    public let targets: RaggedRows<Int32>
    /// Pairs left out because a side was empty or too long.
    public let droppedCount: Int
    /// The plan for which training epochs are put in order by length; nil shuffles only.
    public var bucketPlan: StepPlan?
    private let limits: (target: Int, source: Int)

    /// The plan's sample count.
    public var sampleCount: Int { sources.count }

    /// - Parameters:
    ///   - sourceVocabulary: its special symbols, if any, are not used.
    ///   - targetVocabulary: must have special symbols.
    ///   - lengthLimit: pairs with a side of more tokens are left out.
    /// - Throws: `noPairs` if none is left; what encoding throws.
    public init(
        _ pairs: PairedText, sourceVocabulary: Vocabulary, targetVocabulary: Vocabulary,
        seed: UInt64, lengthLimit: Int
    ) throws(DataError) {
        guard targetVocabulary.hasSpecialSymbols else {
            throw DataError(file: pairs.name, problem: .text(.noSpecialSymbols))
        }
        name = pairs.name
        self.seed = seed
        var sources = RaggedRows<Int32>()
        var targets = RaggedRows<Int32>()
        var dropped = pairs.droppedCount
        var limits = (target: 0, source: 0)
        for (source, target) in zip(pairs.sources, pairs.targets) {
            let sourceTokens = try sourceVocabulary.encode(source, name: name)
            let targetTokens = try targetVocabulary.encode(target, name: name)
            // Words may encode white space to nothing.
            guard (1...max(1, lengthLimit)).contains(sourceTokens.count),
                (1...max(1, lengthLimit)).contains(targetTokens.count)
            else {
                dropped += 1
                continue
            }
            sources.append(sourceTokens)
            targets.append(targetTokens)
            limits.source = max(limits.source, sourceTokens.count)
            limits.target = max(limits.target, targetTokens.count + 1)
        }
        guard sources.count > 0 else {
            throw DataError(
                file: name,
                problem: .text(.noPairs(dropped: dropped, lengthLimit: lengthLimit)))
        }
        precondition(sources.count <= Int(UInt32.max), "\(sources.count) pairs")
        self.sources = sources
        self.targets = targets
        self.limits = limits
        droppedCount = dropped
    }

    /// A batch that fits this data set's pairs.
    public func makeBatch(capacity: Int) -> SequenceBatch {
        SequenceBatch(
            capacity: capacity, targetLimit: limits.target, sourceLimit: limits.source)
    }

    /// The order of an epoch: shuffled, and in batches of similar length if there is a plan.
    public func order(ofEpoch epoch: Int) -> SampleOrder {
        guard let bucketPlan else {
            return SampleOrder(seed: seed, epoch: epoch, sampleCount: sampleCount)
        }
        return LengthBuckets.order(seed: seed, epoch: epoch, plan: bucketPlan) { sample in
            let sample = Int(sample)
            return (sources.length(ofRow: sample), targets.length(ofRow: sample))
        }
    }

    /// Fills `batch` with what is asked for.
    /// - Parameter order: the epoch's order, for a training request.
    /// - Precondition: the positions exist and fit into the batch.
    public func fill(_ batch: SequenceBatch, with request: BatchRequest, order: SampleOrder?) {
        let positions = request.positions
        precondition(
            positions.lowerBound >= 0 && positions.upperBound <= sampleCount,
            "positions \(positions) of \(sampleCount) samples")
        if case .training(let epoch, _) = request {
            precondition(
                order?.epoch == epoch && order?.samples.count == sampleCount,
                "the order given is not that of epoch \(epoch)")
        }
        func sample(_ position: Int) -> Int {
            if case .training = request { return Int(order?.samples[position] ?? 0) }
            return position
        }
        var (length, sourceLength) = (0, 0)
        for position in positions {
            length = max(length, targets.length(ofRow: sample(position)) + 1)
            sourceLength = max(sourceLength, sources.length(ofRow: sample(position)))
        }
        batch.begin(request, length: length, sourceLength: sourceLength)
        for (row, position) in positions.enumerated() {
            let sample = sample(position)
            batch.sampleIndices[row] = UInt32(sample)
            copySource(sample, to: row, of: batch)
            copyTarget(sample, to: row, of: batch)
        }
    }

    private func copySource(_ sample: Int, to row: Int, of batch: SequenceBatch) {
        let used = sources.length(ofRow: sample)
        let destination = batch.sources + row * batch.sourceLength
        sources.copy(row: sample, to: destination)
        (destination + used).update(
            repeating: SequenceBatch.paddingInput, count: batch.sourceLength - used)
        batch.sourceLengths[row] = Int32(used)
    }

    private func copyTarget(_ sample: Int, to row: Int, of batch: SequenceBatch) {
        let used = targets.length(ofRow: sample)
        let start = row * batch.length
        batch.inputs[start] = SpecialSymbol.begin.token
        targets.copy(row: sample, to: batch.inputs + start + 1)
        targets.copy(row: sample, to: batch.targets + start)
        batch.targets[start + used] = SpecialSymbol.end.token
        batch.finish(row: row, used: used + 1)
    }
}
