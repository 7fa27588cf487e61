import Collectives
import DataParallel
import Testing
import WireFormat

@Suite struct GradientFormatTests {
    @Test func countsTravelApartFromRoundedGradients() {
        let plan = BucketPlan(
            parameterOffsets: [0, 100, 116, 300], parameterEnd: 310, totalCount: 326,
            bucketElementCount: 50, separatesTail: true)
        #expect(plan.buckets.map(\.elements) == [310..<326, 116..<310, 0..<116])
        #expect(plan.buckets.map(\.parameters) == [4..<4, 2..<4, 0..<2])
        #expect(plan.bucketOfParameter == [2, 2, 1, 1])
    }

    private static func rounded(_ value: Float) -> Float {
        let bits = value.bitPattern
        return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
    }

    /// Every replica is rounded, and the sum after each addition, in the ring's order. A word holds
    /// two elements, so that is what chunks consist of.
    @Test(arguments: [1, 2, 3, 5], [0, 1, 2, 7, 64, 1001])
    func sumsAreRoundedAfterEachReplica(replicaCount: Int, elementCount: Int) throws {
        let group = try ProcessGroup(
            rank: 0, generation: 1, deal: .equal(replicaCount: replicaCount, worldSize: 1),
            previous: nil, next: nil, timeout: .seconds(1), add: ringAddition)
        let replicas: [[Float]] = (0..<replicaCount).map { replica in
            (0..<elementCount).map { element in
                let number: Int = 1 + (element * 31 + replica * 17) % 1009
                return Float(number) / 7
            }
        }
        var output = [Float](repeating: -1, count: elementCount)
        let buffers = replicas.map { (values: [Float]) -> UnsafeMutablePointer<Float> in
            let buffer = UnsafeMutablePointer<Float>.allocate(capacity: max(1, elementCount))
            buffer.initialize(from: values, count: elementCount)
            return buffer
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        let bucket = RoundedBucket(elementCapacity: 1001)
        // Twice: what the first call left in the words must not matter.
        for _ in 0..<2 {
            try output.withUnsafeMutableBufferPointer { output in
                try bucket.allReduce(
                    group, step: 1, bucket: 1, inputs: buffers.map { UnsafePointer($0) },
                    output: output.baseAddress ?? buffers[0], elementCount: elementCount)
            }
        }
        let words = (elementCount + 1) / 2
        var expected = [Float](repeating: 0, count: elementCount)
        for chunk in 0..<replicaCount {
            let range = RingPlan.elements(
                ofChunk: chunk, elementCount: words, chunkCount: replicaCount)
            let first = min(elementCount, 2 * range.lowerBound)
            for element in first..<min(elementCount, 2 * range.upperBound) {
                let order = (1...replicaCount).map { (chunk + $0) % replicaCount }
                var sum = Self.rounded(replicas[order[0]][element])
                for replica in order.dropFirst() {
                    sum = Self.rounded(sum + Self.rounded(replicas[replica][element]))
                }
                expected[element] = sum
            }
        }
        #expect(output == expected)
    }
}
