/// What a forward pass is for, and the randomness it may use.
public struct PassSettings: Sendable {
    /// Dropout acts, batch norm uses the batch, gradients are recorded.
    public var isTraining: Bool
    /// Key of the counter-based random numbers (seed).
    public var randomKey: UInt64
    /// Step, and replica and micro-batch packed, that make this pass's numbers its own.
    public var randomStep: UInt32, randomReplica: UInt32
    /// Samples of this pass, the weight of its batch statistics.
    public var sampleCount: Int

    /// Settings of one micro-batch of one replica.
    public static func training(
        seed: UInt64, step: Int, replica: Int, microBatch: Int, sampleCount: Int
    ) -> PassSettings {
        PassSettings(
            isTraining: true, randomKey: seed, randomStep: UInt32(truncatingIfNeeded: step),
            randomReplica: UInt32(truncatingIfNeeded: replica << 16 | microBatch),
            sampleCount: sampleCount)
    }

    /// No randomness, no gradients.
    public static let evaluation = PassSettings(
        isTraining: false, randomKey: 0, randomStep: 0, randomReplica: 0, sampleCount: 0)
}
