// A batch of token sequences. Its memory is allocated once for the longest sequences there are; a
// batch is packed, [count, length] with the length of its own longest sequence, so that it passes
// to the engine in one piece and short sentences cost no work for long ones.

/// Sequences for a language model, or pairs of sequences. Legend: N samples, T target length, S
/// source length (0 for a language model).
public final class SequenceBatch: @unchecked Sendable {
    // One owner at a time: the prefetcher's thread fills it, then hands it over.

    /// The target of a position that is padding: no symbol, and skipped by the loss.
    public static let ignoredTarget: Int32 = -100
    /// The input at a position that is padding: a symbol of every vocabulary.
    public static let paddingInput: Int32 = SpecialSymbol.padding.token

    /// The most samples it can hold.
    public let capacity: Int
    /// The longest target and source it can hold.
    public let limits: (target: Int, source: Int)
    /// N; may be 0 at the end of an epoch.
    public internal(set) var count = 0
    /// T: the longest target sequence of this batch.
    public internal(set) var length = 0
    /// S: the longest source sequence of this batch.
    public internal(set) var sourceLength = 0
    /// [N, T]: what the model (or its decoder) reads.
    public let inputs: UnsafeMutablePointer<Int32>
    /// [N, T]: what it is to predict.
    public let targets: UnsafeMutablePointer<Int32>
    /// [N, T]: 1 where there is a target, 0 where there is padding.
    public let weights: UnsafeMutablePointer<Float>
    /// [N]: targets of each sample.
    public let lengths: UnsafeMutablePointer<Int32>
    /// [N, S]: what the encoder reads.
    public let sources: UnsafeMutablePointer<Int32>
    /// [N]: tokens of each source.
    public let sourceLengths: UnsafeMutablePointer<Int32>
    /// [N]: which samples of the data set, or of the epoch, these are.
    public let sampleIndices: UnsafeMutablePointer<UInt32>
    /// Targets that are not padding: what the loss counts and is divided by.
    public internal(set) var targetCount = 0
    /// What was asked for.
    public internal(set) var request = BatchRequest.inOrder(0..<0)

    /// An empty batch.
    public init(capacity: Int, targetLimit: Int, sourceLimit: Int = 0) {
        self.capacity = capacity
        limits = (targetLimit, sourceLimit)
        func zeros<Element: AdditiveArithmetic>(_ count: Int) -> UnsafeMutablePointer<Element> {
            let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(1, count))
            memory.initialize(repeating: .zero, count: max(1, count))
            return memory
        }
        inputs = zeros(capacity * targetLimit)
        targets = zeros(capacity * targetLimit)
        weights = zeros(capacity * targetLimit)
        lengths = zeros(capacity)
        sources = zeros(capacity * sourceLimit)
        sourceLengths = zeros(capacity)
        sampleIndices = zeros(capacity)
    }

    deinit {
        inputs.deallocate()
        targets.deallocate()
        weights.deallocate()
        lengths.deallocate()
        sources.deallocate()
        sourceLengths.deallocate()
        sampleIndices.deallocate()
    }

    /// Begins to fill it: nothing but the counts and the request is valid after this.
    func begin(_ request: BatchRequest, length: Int, sourceLength: Int) {
        let positions = request.positions
        precondition(positions.count <= capacity, "\(positions.count) samples in \(capacity)")
        precondition(
            length <= limits.target && sourceLength <= limits.source,
            "lengths \(length), \(sourceLength) in \(limits)")
        self.request = request
        self.length = length
        self.sourceLength = sourceLength
        count = positions.count
        targetCount = 0
    }

    /// Marks what follows the first `used` targets of a row as padding.
    func finish(row: Int, used: Int) {
        let start = row * length
        lengths[row] = Int32(used)
        targetCount += used
        (weights + start).update(repeating: 1, count: used)
        (weights + start + used).update(repeating: 0, count: length - used)
        (inputs + start + used).update(repeating: Self.paddingInput, count: length - used)
        (targets + start + used).update(repeating: Self.ignoredTarget, count: length - used)
    }
}
