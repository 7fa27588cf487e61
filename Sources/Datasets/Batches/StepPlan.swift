// Which samples each replica of each step gets: pure arithmetic on counts. An epoch of n samples
// is cut into steps of R x A x B (replicas, accumulation, batch size); a step is cut into R x A
// micro-batches, those of a replica side by side.
//
// The samples left over at the end of an epoch are either dropped or make a smaller step, shared
// out evenly: with 6 left and R = 4, A = 1 the replicas get 1, 2, 1, 2. So batch norm never sees a
// full batch on one replica and none on the next, unless fewer samples than micro-batches are left.

/// The samples of one micro-batch, as positions in the epoch's order.
public struct MicroBatchSlot: Equatable, Sendable {
    /// Counted from 0.
    public let epoch: Int
    /// May be empty at the end of an epoch.
    public let positions: Range<Int>
}

/// The plan of a whole run. Steps, epochs, replicas and micro-batches are counted from 0.
public struct StepPlan: Equatable, Sendable {
    /// What becomes of the samples that do not fill a step at the end of an epoch.
    public enum LastBatch: String, CaseIterable, Sendable { case pad, drop }

    /// Samples in an epoch.
    public let sampleCount: Int
    /// Gradients summed per step.
    public let replicas: Int
    /// Micro-batches per replica and step.
    public let accumulation: Int
    /// Samples per micro-batch of a full step.
    public let batchSize: Int
    /// What becomes of the rest of an epoch.
    public let lastBatch: LastBatch
    /// At least 1.
    public let stepsPerEpoch: Int

    /// Samples of a full step.
    public var globalBatchSize: Int { replicas * accumulation * batchSize }

    /// - Parameter dataName: names the data set in the error.
    /// - Throws: `tooFewSamples` if an epoch would have no step.
    public init(
        dataName: String, sampleCount: Int, replicas: Int, accumulation: Int, batchSize: Int,
        lastBatch: LastBatch
    ) throws(DataError) {
        precondition(
            replicas > 0 && accumulation > 0 && batchSize > 0,
            "\(replicas) replicas x \(accumulation) x \(batchSize)")
        self.sampleCount = sampleCount
        self.replicas = replicas
        self.accumulation = accumulation
        self.batchSize = batchSize
        self.lastBatch = lastBatch
        let whole = replicas * accumulation * batchSize
        switch lastBatch {
        case .pad: stepsPerEpoch = (sampleCount + whole - 1) / whole
        case .drop: stepsPerEpoch = sampleCount / whole
        }
        guard stepsPerEpoch > 0 else {
            let needed = lastBatch == .drop ? whole : 1
            let reason = "a step (replicas x accumulation x batchSize)"
            throw DataError(
                file: dataName,
                problem: .tooFewSamples(available: sampleCount, needed: needed, reason: reason))
        }
    }

    /// The epoch a step belongs to.
    public func epoch(ofStep step: Int) -> Int { step / stepsPerEpoch }

    /// Whether the epoch is complete when this step is.
    public func endsEpoch(_ step: Int) -> Bool { (step + 1) % stepsPerEpoch == 0 }

    /// The positions of all of a step's samples; their number is what its mean loss divides by.
    public func positions(ofStep step: Int) -> Range<Int> {
        let start = (step % stepsPerEpoch) * globalBatchSize
        return start..<min(start + globalBatchSize, sampleCount)
    }

    /// The samples of one micro-batch of a step.
    public func slot(step: Int, replica: Int, microBatch: Int) -> MicroBatchSlot {
        precondition(
            (0..<replicas).contains(replica) && (0..<accumulation).contains(microBatch),
            "replica \(replica) of \(replicas), micro-batch \(microBatch) of \(accumulation)")
        let all = positions(ofStep: step)
        let parts = replicas * accumulation
        let part = replica * accumulation + microBatch
        let lower = all.lowerBound + all.count * part / parts
        let upper = all.lowerBound + all.count * (part + 1) / parts
        return MicroBatchSlot(epoch: epoch(ofStep: step), positions: lower..<upper)
    }

    /// What a worker needs for `steps`, in the order it needs it: by step, then replica, then
    /// micro-batch.
    public func workList(
        steps: Range<Int>, replicas: Range<Int>
    ) -> some Sequence<BatchRequest> & Sendable {
        WorkList(plan: self, steps: steps, ownReplicas: replicas)
    }
}

private struct WorkList: Sequence, Sendable {
    let plan: StepPlan
    let steps: Range<Int>
    let ownReplicas: Range<Int>

    struct Iterator: IteratorProtocol {
        let list: WorkList
        var position = 0

        mutating func next() -> BatchRequest? {
            let plan = list.plan
            let perStep = list.ownReplicas.count * plan.accumulation
            guard perStep > 0, position < list.steps.count * perStep else { return nil }
            let (step, within) = position.quotientAndRemainder(dividingBy: perStep)
            let (replica, microBatch) = within.quotientAndRemainder(dividingBy: plan.accumulation)
            position += 1
            let slot = plan.slot(
                step: list.steps.lowerBound + step,
                replica: list.ownReplicas.lowerBound + replica, microBatch: microBatch)
            return .training(epoch: slot.epoch, positions: slot.positions)
        }
    }

    func makeIterator() -> Iterator { Iterator(list: self) }
}
