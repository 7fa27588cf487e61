import CKernels
import Collectives

// How gradients travel. Half the bytes cost precision, and must not cost the promise: so what is
// rounded does not depend on where one worker ends and the next begins. In bfloat16 (8 bits of
// exponent as in Float32, 8 of precision) every replica's gradient is rounded, and so is the sum
// after each replica is added to it, whether the two were on one worker or on two:
//
//   sum = round(g_(c+1));  sum = round(sum + round(g_r)) for r = c+2, ..., R-1, 0, ..., c
//
// What is counted rather than measured (losses, samples, votes) and batch norm's statistics travel
// in Float32, in a bucket of their own.

/// The numbers that gradients are rounded to before they are added up.
package enum GradientFormat: String, Sendable {
    case float32
    case bfloat16
}

/// One bucket of several replicas in bfloat16, and of their sum. The ring sees words of four bytes,
/// with an addition that knows there are two numbers in each. Used by the thread that reduces.
package final class RoundedBucket {
    private var words: [UnsafeMutablePointer<Float>] = []
    private let wordCapacity: Int

    /// - Parameter elementCapacity: of the largest bucket.
    package init(elementCapacity: Int) { wordCapacity = Self.wordCount(elementCapacity) }

    deinit { for pointer in words { pointer.deallocate() } }

    private static func wordCount(_ elementCount: Int) -> Int { (elementCount + 1) / 2 }

    /// Sums a bucket of all replicas into `output`.
    package func allReduce(
        _ group: ProcessGroup, step: UInt64, bucket: UInt32, inputs: [UnsafePointer<Float>],
        output: UnsafeMutablePointer<Float>, elementCount: Int
    ) throws(CollectiveError) {
        while words.count <= inputs.count { words.append(.allocate(capacity: wordCapacity)) }
        let wordCount = Self.wordCount(elementCount)
        for (input, rounded) in zip(inputs, words) {
            // The half word behind an odd bucket is added up like all others.
            if wordCount > 0 { rounded[wordCount - 1] = 0 }
            rondo_round_to_bfloat16(Self.halves(rounded), input, elementCount)
        }
        let sum = words[inputs.count]
        try group.allReduce(
            step: step, bucket: bucket, inputs: words[..<inputs.count].map { UnsafePointer($0) },
            output: sum, elementCount: wordCount, adding: Self.addition)
        rondo_widen_bfloat16(output, Self.halves(sum), elementCount)
    }

    private static let addition: AddFunction = { destination, first, second, count in
        rondo_sum_bfloat16(halves(destination), halves(first), halves(second), 2 * count)
    }

    private static func halves(
        _ words: UnsafeMutablePointer<Float>
    ) -> UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt16.self)
    }

    private static func halves(_ words: UnsafePointer<Float>) -> UnsafePointer<UInt16> {
        UnsafeRawPointer(words).assumingMemoryBound(to: UInt16.self)
    }
}
