// The order of an epoch in which samples of similar length share a batch: a pure function of (seed,
// epoch, lengths, plan), the same for any number of workers.
//
//   shuffle all                      which samples meet differs from epoch to epoch
//   set the last, smaller step aside so it is a fair draw, and none is always dropped
//   sort pools of 100 batches        by source, then target length; ties stay shuffled
//   cut into batches, shuffle these  or the steps would come in order of length
//
// The last step's samples are sorted too; its micro-batches, of whatever size, are runs of them.

enum LengthBuckets {
    /// Sorting larger pools would pad less, but the same samples would meet in each epoch.
    static let batchesPerPool = 100

    static func order(
        seed: UInt64, epoch: Int, plan: StepPlan, length: (UInt32) -> (Int, Int)
    ) -> SampleOrder {
        let shuffled = SampleOrder(seed: seed, epoch: epoch, sampleCount: plan.sampleCount).samples
        let batchSize = plan.batchSize
        let batchCount =
            plan.sampleCount / plan.globalBatchSize * (plan.globalBatchSize / batchSize)
        let wholeCount = batchCount * batchSize
        var sorted: [UInt32] = []
        sorted.reserveCapacity(plan.sampleCount)
        let poolSize = batchesPerPool * batchSize
        for start in stride(from: 0, to: wholeCount, by: poolSize) {
            let pool = shuffled[start..<min(start + poolSize, wholeCount)]
            sorted += pool.sorted { length($0) < length($1) }
        }
        var samples: [UInt32] = []
        samples.reserveCapacity(plan.sampleCount)
        let batches = SampleOrder(
            seed: TextRandomPurpose.buckets.key(seed: seed), epoch: epoch, sampleCount: batchCount)
        for batch in batches.samples {
            samples += sorted[(Int(batch) * batchSize)..<((Int(batch) + 1) * batchSize)]
        }
        samples += shuffled[wholeCount...].sorted { length($0) < length($1) }
        return SampleOrder(seed: seed, epoch: epoch, samples: samples)
    }
}

extension SampleOrder {
    /// An order made otherwise.
    /// - Precondition: `samples` is a permutation.
    init(seed: UInt64, epoch: Int, samples: [UInt32]) {
        self.seed = seed
        self.epoch = epoch
        self.samples = samples
    }
}
