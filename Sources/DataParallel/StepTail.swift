/// The last floats of every gradient buffer: sums that are reduced together with the gradients.
///
/// Counts stay exact in Float32 up to 2^24 = 16,777,216 samples per step.
package struct StepTail: Equatable, Sendable {
    /// Room for the fields, rounded up to a cache line.
    package static let elementCount = 16

    package var lossSum: Float = 0
    package var correctCount: Float = 0
    package var sampleCount: Float = 0
    /// How many workers were asked to stop: all of them read the same sum after the same step.
    package var stopVotes: Float = 0
    /// What the loss and the gradient are divided by.
    package var lossWeight: Float = 0

    package init() {}

    package init(reading memory: UnsafePointer<Float>) {
        lossSum = memory[0]
        correctCount = memory[1]
        sampleCount = memory[2]
        stopVotes = memory[3]
        lossWeight = memory[4]
    }

    package func write(to memory: UnsafeMutablePointer<Float>) {
        memory.update(repeating: 0, count: Self.elementCount)
        memory[0] = lossSum
        memory[1] = correctCount
        memory[2] = sampleCount
        memory[3] = stopVotes
        memory[4] = lossWeight
    }
}
