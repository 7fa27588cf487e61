import NeuralNetworks
import Tensors

// Gradients are reduced in buckets: slices of the flat buffer, large enough that a reduction is
// worth its start-up, small enough that the first can travel while backward still computes the
// others.
//
//   flat buffer  | fc-first ... | ... | fc-last | statistics | tail |
//   buckets      |   last       | ... |          0                  |
//
// Backward fills the buffer from its end (the last layer comes first), so buckets are cut from the
// end; the statistics and the tail (sums of the loss, counts) are known when forward ends and
// travel with bucket 0. The borders follow from the model and the configured size alone: they are
// part of the order of additions and with it of the result's bits.

/// Which slices of the flat buffer are reduced together, in the order in which backward fills them.
package struct BucketPlan: Equatable, Sendable {
    package struct Bucket: Equatable, Sendable {
        /// Elements of the flat buffer.
        package let elements: Range<Int>
        /// Parameters, by index, that have to be complete before it may travel.
        package let parameters: Range<Int>

        package init(elements: Range<Int>, parameters: Range<Int>) {
            self.elements = elements
            self.parameters = parameters
        }
    }

    package let buckets: [Bucket]
    /// By parameter index.
    package let bucketOfParameter: [Int]

    /// - Parameters:
    ///   - parameterOffsets: first element of each parameter, ascending, the first at 0.
    ///   - parameterEnd: the end of the parameters; statistics and tail follow up to `totalCount`.
    ///   - bucketElementCount: a bucket is closed as soon as it has that many elements.
    ///   - separatesTail: whether bucket 0 holds no parameters, but statistics and tail alone.
    package init(
        parameterOffsets: [Int], parameterEnd: Int, totalCount: Int, bucketElementCount: Int,
        separatesTail: Bool = false
    ) {
        precondition(
            bucketElementCount > 0 && totalCount >= parameterEnd,
            "buckets of \(bucketElementCount) over \(totalCount), parameters end at \(parameterEnd)"
        )
        var buckets: [Bucket] = []
        var end = totalCount
        var lastParameter = parameterOffsets.count
        if separatesTail, lastParameter > 0 {
            buckets.append(
                Bucket(
                    elements: parameterEnd..<totalCount, parameters: lastParameter..<lastParameter))
            end = parameterEnd
        }
        for index in parameterOffsets.indices.reversed() {
            let start = parameterOffsets[index]
            // The first parameter always closes the last bucket.
            guard end - start >= bucketElementCount || index == 0 else { continue }
            buckets.append(Bucket(elements: start..<end, parameters: index..<lastParameter))
            end = start
            lastParameter = index
        }
        if buckets.isEmpty { buckets = [Bucket(elements: 0..<totalCount, parameters: 0..<0)] }
        self.buckets = buckets
        var owners = [Int](repeating: 0, count: parameterOffsets.count)
        for (position, bucket) in buckets.enumerated() {
            for parameter in bucket.parameters { owners[parameter] = position }
        }
        bucketOfParameter = owners
    }
}
