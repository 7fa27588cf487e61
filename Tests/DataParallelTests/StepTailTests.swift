import Collectives
import DataParallel
import Testing

/// The sums that travel behind the gradients.
@Suite struct StepTailTests {
    /// The sum of tails as the ring makes it: element by element in Float32.
    private func sum(_ tails: [StepTail], sumCount: Int) -> StepTail {
        let count = StepTail.elementCount(sumCount: sumCount)
        var total = [Float](repeating: 0, count: count)
        for tail in tails {
            var floats = [Float](repeating: -1, count: count)
            floats.withUnsafeMutableBufferPointer { tail.write(to: $0.baseAddress!) }
            for index in total.indices { total[index] += floats[index] }
        }
        return total.withUnsafeBufferPointer {
            StepTail(reading: $0.baseAddress!, sumCount: sumCount)
        }
    }

    /// The length decides where chunks begin, so it must not follow each sum.
    @Test(arguments: [(0, 16), (3, 16), (4, 32), (11, 32), (12, 48), (16, 48)])
    func theLengthIsAMultipleOfALine(sumCount: Int, elementCount: Int) {
        #expect(StepTail.elementCount(sumCount: sumCount) == elementCount)
    }

    @Test(arguments: 0...16) func whatIsWrittenIsRead(sumCount: Int) {
        var tail = StepTail(sumCount: sumCount)
        tail.lossSum = 1.5
        tail.lossWeight = 2.25
        tail.sampleCount = 70_000
        tail.usedCount = 17
        for index in tail.sums.indices { tail.sums[index] = Double(index * 5000) - 0.25 }
        tail.votes = StepVotes(stop: true, redeal: true)
        var read = sum([tail], sumCount: sumCount)
        #expect(read.dealVoteCount == 1)
        read.dealVoteCount = 0
        #expect(read == tail)
    }

    /// Float32 alone would lose count at 2^24 = 16,777,216.
    @Test func countsStayExactUpToTheLimit() {
        let replicas = StepTail.replicaCountLimit
        let each = StepTail.countLimit / replicas
        // All rests are as large as they can be.
        let tails = (0..<replicas).map { replica in
            var tail = StepTail(sumCount: 1)
            tail.sampleCount = each - 1
            tail.usedCount = replica
            tail.sums = [Double(each - 1 - replica)]
            return tail
        }
        let total = sum(tails, sumCount: 1)
        let ranks = replicas * (replicas - 1) / 2
        #expect(total.sampleCount == StepTail.countLimit - replicas)
        #expect(total.usedCount == ranks)
        #expect(total.sums == [Double(StepTail.countLimit - replicas - ranks)])
    }

    @Test func realNumbersLoseNoMoreThanInFloat32() {
        let values = [0.1, -3.75e9, 1e30, 12_345.678, -1e-9]
        for value in values {
            var tail = StepTail(sumCount: 1)
            tail.sums = [value]
            let read = sum([tail], sumCount: 1).sums[0]
            #expect(abs(read - value) <= abs(value) * 0x1p-23, "\(value) came back as \(read)")
        }
    }

    /// A diverged replica, or a peer that sends anything.
    @Test(arguments: [Float.nan, .infinity, -.infinity, -1, 3e38])
    func anyFloatsAreRead(value: Float) {
        let floats = [Float](repeating: value, count: 16)
        let tail = floats.withUnsafeBufferPointer {
            StepTail(reading: $0.baseAddress!, sumCount: 3)
        }
        #expect(tail.sampleCount >= 0 && tail.usedCount >= 0 && tail.dealVoteCount >= 0)
        var diverged = StepTail(sumCount: 1)
        diverged.sums = [Double(value)]
        let read = sum([diverged], sumCount: 1).sums[0]
        #expect(read.isNaN == value.isNaN && (value.isNaN || read.isInfinite == value.isInfinite))
    }

    @Test func passesAddUp() {
        var tail = StepTail(sumCount: 2)
        tail.add(
            PassSums(lossSum: 1, lossWeight: 2, sampleCount: 3, values: [4, 0.5]), usedCount: 5)
        tail.add(
            PassSums(lossSum: 10, lossWeight: 20, sampleCount: 30, values: [40, 0.25]),
            usedCount: 50)
        #expect(tail.lossSum == 11 && tail.lossWeight == 22)
        #expect(tail.sampleCount == 33 && tail.usedCount == 55)
        #expect(tail.sums == [44, 0.75])
    }
}
