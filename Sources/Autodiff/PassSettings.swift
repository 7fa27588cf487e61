/// What a forward pass is for, and the randomness it may use.
public struct PassSettings: Sendable {
    /// Whether dropout acts, and batch norm uses the statistics of the batch and updates the
    /// running ones.
    public var isTraining: Bool
    /// Whether the tape records operations, so that gradients can be taken. A pass in evaluation
    /// mode may record too; see `recordedEvaluation`.
    public var records: Bool
    /// Key of the counter-based random numbers (seed).
    public var randomKey: UInt64
    /// The step, and the packed replica and micro-batch. They set this pass's numbers apart from
    /// those of other passes under the same key.
    public var randomStep: UInt32, randomReplica: UInt32
    /// Samples of this pass, the weight of its batch statistics.
    public var sampleCount: Int

    /// Settings of one micro-batch of one replica.
    public static func training(
        seed: UInt64, step: Int, replica: Int, microBatch: Int, sampleCount: Int
    ) -> PassSettings {
        PassSettings(
            isTraining: true, records: true, randomKey: seed,
            randomStep: UInt32(truncatingIfNeeded: step),
            randomReplica: UInt32(truncatingIfNeeded: replica << 16 | microBatch),
            sampleCount: sampleCount)
    }

    /// No randomness, no gradients.
    public static let evaluation = PassSettings(
        isTraining: false, records: false, randomKey: 0, randomStep: 0, randomReplica: 0,
        sampleCount: 0)

    /// The network as it is evaluated, with gradients: dropout does not act, and batch norm takes
    /// its running statistics as constants.
    ///
    /// Gradients of any output can be taken with respect to inputs (`Tape.input`), to named
    /// activations (`ActivationHooks`) and to parameters that have memory for them.
    public static let recordedEvaluation = PassSettings(
        isTraining: false, records: true, randomKey: 0, randomStep: 0, randomReplica: 0,
        sampleCount: 0)
}
