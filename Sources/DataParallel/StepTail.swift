// The last floats of every gradient buffer: sums that are reduced together with the gradients.
//
//   0        sum of the losses                7, 8   samples of the data set that were used
//   1, 2     samples that were predicted      9, 10  the first of the task's own sums
//   3, 4, 6  votes                            11, 12 the second, and so on
//   5        weight of the losses
//
// Float32 counts exactly up to 2^24 only, which a step over long texts passes. A count therefore
// travels as two floats, its multiple of 4096 and the rest, which are added up separately: 4096
// replicas with rests below 4096 stay below 2^24, and so do the multiples of all counts below 2^36.
// A step that passes that is refused (StepError.tooManySamples). Real numbers travel in the same
// way and lose nothing by it.

/// The sums of a replica, or of a whole step.
package struct StepTail: Equatable, Sendable {
    /// Counts below this are exact after the reduction.
    package static let countLimit = 1 << 36
    /// How many replicas may be added up for that.
    package static let replicaCountLimit = 1 << 12
    private static let unit = 4096.0
    private static let firstSum = 9
    /// The tail is a multiple of a cache line: the length of the buffer decides where chunks begin,
    /// and with them the order of additions.
    private static let lineCount = 16

    package var lossSum: Float = 0
    /// What the loss and the gradient are divided by.
    package var lossWeight: Float = 0
    /// What was predicted: images, or symbols.
    package var sampleCount = 0
    /// Samples of the data set; one may hold many predictions.
    package var usedCount = 0
    /// The task's own sums, in its order.
    package var sums: [Double]
    package var votes = StepVotes()
    /// Workers that have heard of a change of the deal.
    package var dealVoteCount = 0

    package init(sumCount: Int) {
        sums = [Double](repeating: 0, count: sumCount)
    }

    /// How many floats the tail has with that many sums of the task: 16 up to 3 sums.
    package static func elementCount(sumCount: Int) -> Int {
        (firstSum + 2 * sumCount + lineCount - 1) / lineCount * lineCount
    }

    /// Adds what a pass saw.
    /// - Precondition: the pass has as many sums of its task as this tail.
    package mutating func add(_ pass: PassSums, usedCount: Int) {
        precondition(
            pass.values.count == sums.count,
            "a pass gives \(pass.values.count) sums, the metrics name \(sums.count)")
        lossSum += pass.lossSum
        lossWeight += pass.lossWeight
        sampleCount += pass.sampleCount
        self.usedCount += usedCount
        for index in sums.indices { sums[index] += pass.values[index] }
    }

    // MARK: - Memory

    package init(reading memory: UnsafePointer<Float>, sumCount: Int) {
        lossSum = memory[0]
        lossWeight = memory[5]
        sampleCount = Self.count(Self.number(memory + 1))
        usedCount = Self.count(Self.number(memory + 7))
        sums = (0..<sumCount).map { Self.number(memory + Self.firstSum + 2 * $0) }
        votes = StepVotes(reading: memory)
        dealVoteCount = Self.count(Double(memory[6]))
    }

    package func write(to memory: UnsafeMutablePointer<Float>) {
        memory.update(repeating: 0, count: Self.elementCount(sumCount: sums.count))
        memory[0] = lossSum
        memory[5] = lossWeight
        Self.write(Double(sampleCount), to: memory + 1)
        Self.write(Double(usedCount), to: memory + 7)
        for (index, sum) in sums.enumerated() {
            Self.write(sum, to: memory + Self.firstSum + 2 * index)
        }
        votes.write(to: memory)
    }

    private static func write(_ value: Double, to memory: UnsafeMutablePointer<Float>) {
        let multiple = value.isFinite ? (value / unit).rounded(.towardZero) : value
        memory[0] = Float(multiple)
        memory[1] = value.isFinite ? Float(value - multiple * unit) : 0
    }

    private static func number(_ memory: UnsafePointer<Float>) -> Double {
        Double(memory[0]) * unit + Double(memory[1])
    }

    /// The floats come from other workers, so any number is possible.
    private static func count(_ value: Double) -> Int {
        value.isNaN ? 0 : Int(min(max(value, 0), 0x1p53))
    }
}

/// What a worker wants to happen after the step. All workers read the same sum of the votes after
/// the same step, so they agree without asking each other.
package struct StepVotes: Equatable, Sendable {
    /// The run is to end here, with its state saved.
    package var stop = false
    /// The members of the ring are about to change.
    package var pause = false
    /// Another deal has come: it is taken when all have voted for it.
    package var redeal = false

    package init(stop: Bool = false, pause: Bool = false, redeal: Bool = false) {
        self.stop = stop
        self.pause = pause
        self.redeal = redeal
    }

    /// The votes that at least one worker has cast.
    package init(reading tail: UnsafePointer<Float>) {
        stop = tail[3] > 0
        pause = tail[4] > 0
        redeal = tail[6] > 0
    }

    package func write(to tail: UnsafeMutablePointer<Float>) {
        tail[3] = stop ? 1 : 0
        tail[4] = pause ? 1 : 0
        tail[6] = redeal ? 1 : 0
    }
}
