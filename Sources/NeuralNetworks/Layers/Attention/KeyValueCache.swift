import Autodiff
import Tensors

/// The keys and values of the time steps that a generating model has seen.
///
/// Each new step attends to all of them without computing them again. Used by one thread, in passes
/// that are not trained.
public final class KeyValueCache {
    /// [N, capacity, keys then values].
    private var storage: Tensor
    private let width: Int
    /// Time steps held.
    public private(set) var count = 0

    /// Room for `capacity` steps of `samples` sequences; `width` is that of the attention.
    public init(samples: Int, capacity: Int, width: Int) {
        self.width = width
        storage = Tensor(zeros: [samples, capacity, 2 * width])
    }

    /// Steps that fit.
    public var capacity: Int { storage.shape[1] }

    /// Forgets all steps.
    public func removeAll() { count = 0 }

    /// Keeps the sequences `samples`, in that order (a beam search continues its best ones); an
    /// index may occur more than once, their number stays.
    public func reorder(_ samples: [Int]) {
        precondition(samples.count == storage.shape[0], "\(samples.count) of \(storage.shape[0])")
        let sampleCount = capacity * 2 * width
        let reordered = Tensor(uninitialized: storage.shape)
        for (position, sample) in samples.enumerated() {
            (reordered.pointer + position * sampleCount).update(
                from: storage.pointer + sample * sampleCount, count: count * 2 * width)
        }
        storage = reordered
    }

    /// Takes the last two thirds of projected queries, keys and values [N, T, 3 width] in.
    func append(_ projected: Tensor) {
        let samples = projected.shape[0]
        let steps = projected.shape[1]
        precondition(
            projected.shape == [samples, steps, 3 * width] && samples == storage.shape[0]
                && count + steps <= capacity,
            "\(projected.shape) into a cache of \(storage.shape) that holds \(count)")
        for sample in 0..<samples {
            for step in 0..<steps {
                let line = storage.pointer + (sample * capacity + count + step) * 2 * width
                let source = projected.pointer + (sample * steps + step) * 3 * width + width
                line.update(from: source, count: 2 * width)
            }
        }
        count += steps
    }

    /// Keys and values as operands on a tape.
    func operands(on tape: Tape) -> (keys: AttentionOperand, values: AttentionOperand) {
        let held = tape.constant(storage)
        return (
            AttentionOperand(held, length: count),
            AttentionOperand(held, firstColumn: width, length: count)
        )
    }
}
