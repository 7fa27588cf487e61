import CKernels
import Kernels
import Tensors

// New tensors. Random ones are pure functions of a key and a counter (Philox, Salmon et al. 2011):
// a replica draws the same numbers on every worker, and no state is carried.

/// Which numbers a random tensor gets: a key and three counter words.
public struct RandomCounter: Sendable, Hashable {
    /// The seed.
    public var key: UInt64
    /// What sets this draw apart from others under the key.
    public var words: (UInt32, UInt32, UInt32)

    /// The numbers of a seed and up to three words, such as purpose, step and sample.
    public init(key: UInt64, _ first: UInt32 = 0, _ second: UInt32 = 0, _ third: UInt32 = 0) {
        self.key = key
        words = (first, second, third)
    }

    /// Equal keys and words.
    public static func == (a: RandomCounter, b: RandomCounter) -> Bool {
        a.key == b.key && a.words == b.words
    }

    /// Hashes key and words.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
    }

    var list: [UInt32] { [words.0, words.1, words.2] }
}

extension Tape {
    /// A counter of this pass that no other random operation of any pass uses.
    public func nextRandom() -> RandomCounter {
        let (call, step, replica) = nextRandomCounter()
        return RandomCounter(key: settings.randomKey, call, step, replica)
    }
}

extension Tensor {
    /// The same value everywhere.
    public static func full(_ shape: Shape, _ value: Float) -> Tensor {
        Tensor(repeating: value, shape)
    }

    /// start, start + step, ... below `end` (above it for a negative step).
    public static func arange(_ start: Float, _ end: Float, step: Float = 1) -> Tensor {
        require(step != 0, "arange: from \(start) to \(end) in steps of 0")
        let count = Int(((Double(end) - Double(start)) / Double(step)).rounded(.up))
        let tensor = Tensor(uninitialized: [Swift.max(count, 0)])
        for index in 0..<tensor.count {
            tensor.pointer[index] = Float(Double(start) + Double(index) * Double(step))
        }
        return tensor
    }

    /// 0, 1, ... count - 1.
    public static func arange(_ count: Int) -> Tensor { arange(0, Float(count)) }

    /// Ones on a diagonal, which begins in this column; a negative one begins in a row further
    /// down.
    public static func eye(_ rows: Int, _ columns: Int? = nil, diagonal: Int = 0) -> Tensor {
        let columns = columns ?? rows
        let tensor = Tensor(zeros: [rows, columns])
        for row in 0..<rows where row + diagonal >= 0 && row + diagonal < columns {
            tensor.pointer[row * columns + row + diagonal] = 1
        }
        return tensor
    }

    /// Uniform numbers in low ..< high, in 2^24 steps.
    public static func uniform(
        _ shape: Shape, low: Float = 0, high: Float = 1, _ random: RandomCounter
    ) -> Tensor {
        require(low <= high, "uniform: from \(low) to \(high)")
        let tensor = Tensor(uninitialized: shape)
        rondo_random_uniform(tensor.pointer, tensor.count, random.key, random.list, low, high)
        return tensor
    }

    /// Normal numbers, by Box and Muller's method; none is further than 6.7 deviations from the
    /// mean.
    public static func normal(
        _ shape: Shape, mean: Float = 0, deviation: Float = 1, _ random: RandomCounter
    ) -> Tensor {
        let tensor = Tensor(uninitialized: shape)
        rondo_random_normal(
            tensor.pointer, tensor.count, random.key, random.list, mean, deviation)
        return tensor
    }

    /// 1 with this probability, otherwise 0.
    public static func bernoulli(
        _ shape: Shape, probability: Float, _ random: RandomCounter
    ) -> Tensor {
        require((0...1).contains(probability), "bernoulli: probability \(probability)")
        let tensor = Tensor(uninitialized: shape)
        rondo_random_bernoulli(
            tensor.pointer, tensor.count, random.key, random.list,
            UInt64(Double(probability) * 0x1p32))
        return tensor
    }
}

extension Indices {
    /// 0 ..< count in random order (Fisher and Yates).
    public static func permutation(_ count: Int, _ random: RandomCounter) -> Indices {
        require(count >= 0 && count <= Int(Int32.max), "permutation: of \(count)")
        var values = (0..<Int32(count)).map { $0 }
        let generator = Philox4x32(key: random.key)
        let upper = UInt64(random.words.2) << 32 | UInt64(random.words.1)
        for last in stride(from: count - 1, to: 0, by: -1) {
            let words = generator.block(
                counter: (UInt64(random.words.0) << 32 | UInt64(last), upper))
            // The high half of bits * n: each place equally likely within 2^-32.
            let bits = UInt64(words.0) << 32 | UInt64(words.1)
            let place = Int(bits.multipliedFullWidth(by: UInt64(last + 1)).high)
            values.swapAt(last, place)
        }
        return Indices(values)
    }

    /// One column of each row, drawn with the row's weights, which need not add up to 1.
    public static func categorical(weights: Tensor, _ random: RandomCounter) -> Indices {
        let rows = weights.shape.rows
        let columns = weights.shape.columns
        require(columns > 0, "categorical: weights of shape \(weights.shape)")
        let values = [Int32](unsafeUninitializedCapacity: rows) { buffer, count in
            if let base = buffer.baseAddress {
                rondo_random_categorical(
                    base, weights.pointer, rows, columns, random.key, random.list)
            }
            count = rows
        }
        return Indices(values, Shape(Array(weights.shape.dimensions.dropLast())))
    }
}
