// The last floats of every gradient buffer: sums that are reduced together with the gradients.
//
//     0 loss | 1 weight | 2 vote: stop | 3 vote: pause | 4 votes: redeal | 5-6 count | 7-8 used | 9-10, 11-12 ... sums
//
// Counts have to be exact, and Float32 counts to 2^24 only. So they travel as two floats each, thousands and units in a
// base of 2^14: the units of 1,024 replicas add up exactly, and so do the others up to 2^38 predictions per step.

/// The sums of one replica's passes, and after the reduction of all replicas'.
package struct StepTail: Equatable, Sendable {
    private static let base = 16384.0
    /// The first of the task's sums.
    private static let firstSum = 9
    /// A cache line; with fewer floats buffers would not end on one.
    private static let alignment = 16

    package var loss: Float = 0
    /// What the loss and the gradient are divided by.
    package var weight: Float = 0
    /// Predictions: samples, or the symbols of texts.
    package var count = 0
    /// Samples of the data set.
    package var usedCount = 0
    /// The task's sums.
    package var sums: [Double]
    package var votes = StepVotes()
    /// Workers that know of a change of the deal.
    package var dealVoteCount = 0

    package init(sumCount: Int) { sums = [Double](repeating: 0, count: sumCount) }

    /// Floats of a tail with that many sums of a task. It decides the borders of chunks, and with them the bits.
    package static func elementCount(sumCount: Int) -> Int {
        (firstSum + 2 * sumCount + alignment - 1) / alignment * alignment
    }

    /// Adds a pass over `usedCount` samples.
    package mutating func add(_ pass: PassSums, usedCount: Int) {
        precondition(
            pass.others.count == sums.count,
            "\(pass.others.count) sums of a pass, \(sums.count) of the task")
        loss += pass.loss
        weight += pass.weight
        count += pass.count
        self.usedCount += usedCount
        for (index, value) in pass.others.enumerated() { sums[index] += value }
    }

    package init(reading memory: UnsafePointer<Float>, sumCount: Int) {
        loss = memory[0]
        weight = memory[1]
        votes = StepVotes(reading: memory)
        dealVoteCount = Int(memory[4])
        count = Self.joinedCount(memory + 5)
        usedCount = Self.joinedCount(memory + 7)
        sums = (0..<sumCount).map { Self.joined(memory + Self.firstSum + 2 * $0) }
    }

    package func write(to memory: UnsafeMutablePointer<Float>) {
        memory.update(repeating: 0, count: Self.elementCount(sumCount: sums.count))
        memory[0] = loss
        memory[1] = weight
        votes.write(to: memory)
        Self.split(Double(count), to: memory + 5)
        Self.split(Double(usedCount), to: memory + 7)
        for (index, value) in sums.enumerated() {
            Self.split(value, to: memory + Self.firstSum + 2 * index)
        }
    }

    private static func split(_ value: Double, to memory: UnsafeMutablePointer<Float>) {
        let high = (value / base).rounded(.down)
        memory[0] = Float(high)
        memory[1] = Float(value - high * base)
    }

    private static func joined(_ memory: UnsafePointer<Float>) -> Double {
        Double(memory[0]) * base + Double(memory[1])
    }

    /// What a peer has sent may be no number.
    private static func joinedCount(_ memory: UnsafePointer<Float>) -> Int {
        Int(exactly: joined(memory).rounded()) ?? 0
    }
}

/// What a worker wants to happen after the step. All workers read the same sum of the votes after the same
/// step, so they agree without asking anybody.
package struct StepVotes: Equatable, Sendable {
    /// The run is to end here, with its state saved.
    package var stop = false
    /// The members of the ring are about to change.
    package var pause = false
    /// Another deal has come: it is taken when all have voted so.
    package var redeal = false

    package init(stop: Bool = false, pause: Bool = false, redeal: Bool = false) {
        self.stop = stop
        self.pause = pause
        self.redeal = redeal
    }

    /// Whether anybody has voted so.
    package init(reading tail: UnsafePointer<Float>) {
        stop = tail[2] > 0
        pause = tail[3] > 0
        redeal = tail[4] > 0
    }

    package func write(to tail: UnsafeMutablePointer<Float>) {
        tail[2] = stop ? 1 : 0
        tail[3] = pause ? 1 : 0
        tail[4] = redeal ? 1 : 0
    }
}
