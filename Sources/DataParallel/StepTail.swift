/// The last floats of every gradient buffer: sums that are reduced together with the gradients.
///
/// Counts stay exact in Float32 up to 2^24 = 16,777,216 samples per step.
package struct StepTail: Equatable, Sendable {
    /// Room for the fields, rounded up to a cache line.
    package static let elementCount = 16

    package var lossSum: Float = 0
    package var correctCount: Float = 0
    package var sampleCount: Float = 0
    /// What the loss and the gradient are divided by.
    package var lossWeight: Float = 0
    /// Samples of the data set; `sampleCount` counts what is predicted, which may be many per sample.
    package var usedCount: Float = 0
    package var votes = StepVotes()
    /// Workers that have heard of a change of the deal.
    package var dealVoteCount = 0

    package init() {}

    package init(reading memory: UnsafePointer<Float>) {
        lossSum = memory[0]
        correctCount = memory[1]
        sampleCount = memory[2]
        votes = StepVotes(reading: memory)
        lossWeight = memory[5]
        dealVoteCount = Int(memory[6])
        usedCount = memory[15]
    }

    package func write(to memory: UnsafeMutablePointer<Float>) {
        memory.update(repeating: 0, count: Self.elementCount)
        memory[0] = lossSum
        memory[1] = correctCount
        memory[2] = sampleCount
        votes.write(to: memory)
        memory[5] = lossWeight
        memory[15] = usedCount
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
