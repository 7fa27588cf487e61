import Autodiff
import CKernels
import Collectives
import ExitCodes
import Kernels
import NeuralNetworks
import Tensors
import WireFormat

// One training step of one worker: the gradients of its replicas, the sum over all replicas, the
// update.
//
//   for each local replica:    forward, backward per micro-batch -> its own flat buffer
//   during the last backward,  buckets are released as they fill -> order-invariant ring all-reduce
//   or after it:
//   after the last bucket:     the rows of sparse tables, summed over the replicas (RowReducer),
//   then:                      clipping, optimizer, average and running statistics, from the sums
//                              divided by the weight of all samples
//
// Replica r of step s is computed from (weights, step, replica) alone, so a step is a transaction:
// until it is committed the replicas' gradients are kept, and a worker that finds itself in another
// ring computes only what is missing there. The reduced gradient of a committed step is kept until
// the next step is committed, for a peer that has missed its end; two buffers take turns.

/// The sums of one reduced step.
package struct StepSums: Equatable, Sendable {
    package var lossSum: Float
    /// Predictions: images, or the symbols of texts.
    package var sampleCount: Int
    /// Samples of the data set that all replicas have used.
    package var usedCount: Int
    /// What `lossSum` is divided by for the mean.
    package var lossWeight: Float
    /// The task's own sums, in the order in which its metrics name them.
    package var values: [Double]
    /// The norm of the mean gradient before clipping, where it was needed.
    package var gradientNorm: Double?
    /// What some worker has voted for; equal on all workers.
    package var votes: StepVotes
    /// How many workers have voted for another deal; equal on all workers.
    package var dealVoteCount: Int
}

/// Why a step was not committed; the weights are those before it.
package enum StepError: ExitCoded {
    case collective(CollectiveError)
    /// The summed loss is not a finite number.
    case diverged(step: Int, lossSum: Float)
    /// More was predicted than can be counted exactly.
    case tooManySamples(step: Int, count: Int)

    package var exitCode: ExitCode {
        switch self {
        case .collective(let error): error.exitCode
        case .diverged, .tooManySamples: .failed
        }
    }
}

/// Computes a worker's replicas and commits the reduced step, in one ring after another. Used by
/// one thread.
package final class ReplicatedStep {
    private let store: ParameterStore
    private let average: ExponentialAverage?
    private let seed: UInt64
    private let plan: BucketPlan
    private let format: GradientFormat
    private let hasSpareCore: Bool
    private let rowPartByteCount: Int
    private let sumCount: Int
    private var gradients: ReplicaGradients
    /// By the parity of the step.
    private let reduced: [Tensor]
    /// The summed rows of each sparse table, by the parity of the step.
    private var reducedRows: [[RowGradients]]
    /// The ring, and what reduces on it; nil between two rings.
    private var ring: (group: ProcessGroup, reducer: GradientReducer)?
    /// Parameters of each bucket that the last replica's backward has not delivered yet.
    private var missingParameters: [Int] = []
    /// Who is told of the operations of all passes and their times.
    package var profile: OperationProfile?
    /// What a replica takes to compute, smoothed over the last steps; nil before the first.
    package private(set) var secondsPerReplica: Double?
    /// The weight of a step in that: a few steps tell, one alone does not.
    private static let smoothing = 0.1

    /// - Parameters:
    ///   - average: takes in the weights after each update.
    ///   - sumCount: the task's own sums per pass.
    ///   - bucketByteCount: see BucketPlan; equal on all workers.
    ///   - format: of the gradients in the ring; equal on all workers.
    ///   - hasSpareCore: see GradientReducer; may differ between workers.
    ///   - rowPartByteCount: see RowReducer; equal on all workers. Tests set 0 to gather the rows
    ///     of one replica at a time.
    package init(
        store: ParameterStore, average: ExponentialAverage? = nil, seed: UInt64, sumCount: Int,
        bucketByteCount: Int, format: GradientFormat = .float32, hasSpareCore: Bool = true,
        rowPartByteCount: Int = RowReducer.defaultPartByteCount
    ) {
        self.store = store
        self.average = average
        self.seed = seed
        self.format = format
        self.hasSpareCore = hasSpareCore
        self.rowPartByteCount = rowPartByteCount
        self.sumCount = sumCount
        let totalCount = store.gradientCount + StepTail.elementCount(sumCount: sumCount)
        plan = BucketPlan(
            parameterOffsets: store.trainedSlots.map(\.offset), parameterEnd: store.trainedCount,
            totalCount: totalCount,
            bucketElementCount: max(1, bucketByteCount / MemoryLayout<Float>.stride),
            separatesTail: format != .float32)
        gradients = ReplicaGradients(elementCount: totalCount, store: store)
        reduced = [Tensor(zeros: [totalCount]), Tensor(zeros: [totalCount])]
        reducedRows = [store.makeRowGradients(), store.makeRowGradients()]
    }

    // MARK: - Rings

    /// Steps run in this ring from now on.
    /// - Precondition: the ring before has been left.
    package func join(_ group: ProcessGroup) {
        precondition(ring == nil, "still in the ring of generation \(ring?.group.generation ?? 0)")
        gradients.own(group.deal.ranges[group.rank])
        let reducer = GradientReducer(
            group: group, plan: plan, format: format, hasSpareCore: hasSpareCore)
        ring = (group, reducer)
    }

    /// The ring goes on with another deal, from the next step on.
    package func adopt(_ deal: ReplicaDeal) {
        guard let group = ring?.group else { preconditionFailure("a deal without a ring") }
        group.adopt(deal)
        gradients.own(deal.ranges[group.rank])
    }

    /// Ends the reducing thread. The group must have been shut down if a step failed.
    package func leave() {
        ring?.reducer.close()
        ring = nil
    }

    /// The replicas, ascending, whose gradients of a step are here.
    package func computedReplicas(step: Int) -> [Int] { gradients.computed(step: step) }

    /// The replicas of this ring's share that a step has to compute.
    package func missingReplicas(step: Int) -> [Int] {
        guard let group = ring?.group else { return [] }
        let computed = gradients.computed(step: step)
        return group.deal.ranges[group.rank].filter { !computed.contains($0) }
    }

    /// The gradients that are here belong to weights that are no more.
    package func forgetGradients() { gradients.forget() }

    /// The reduced gradient of a step, for a peer or from one: floats with the tail behind them.
    package func reducedGradient(step: Int) -> Tensor { reduced[step & 1] }

    /// Gives all workers of the ring the root's summed rows of a step, which belong to
    /// `reducedGradient`.
    /// - Parameter call: the step that the collective goes by.
    package func shareReducedRows(
        step: Int, root: Int, call: UInt64
    ) throws(CollectiveError) {
        guard let group = ring?.group, !store.sparseSlots.isEmpty else { return }
        reducedRows[step & 1] = try rowReducer(group, step: call)
            .broadcast(reducedRows[step & 1], root: root)
    }

    private func rowReducer(_ group: ProcessGroup, step: UInt64) -> RowReducer {
        RowReducer(group: group, step: step, partByteCount: rowPartByteCount)
    }

    // MARK: - Steps

    /// Runs step `step` (from 0) and commits it.
    ///
    /// - Parameters:
    ///   - votes: of this worker.
    ///   - passes: the micro-batches of a replica, in order; those without samples are skipped.
    ///   - phase: told when the step goes from computing to waiting for the ring and to updating.
    /// - Throws: `StepError`; nothing has been committed then.
    package func run(
        step: Int, update: StepUpdate, votes: StepVotes, phase: (StepPhase) -> Void,
        passes: (_ replica: Int) throws -> [MicroBatchPass]
    ) throws -> StepSums {
        guard let (group, reducer) = ring else {
            preconditionFailure("step \(step) without a ring")
        }
        let replicas = group.deal.ranges[group.rank]
        let buffers = replicas.map { gradients.buffer(of: $0) }
        let missing = missingReplicas(step: step)
        // Those of an earlier attempt in another ring may be in it.
        for (place, buffer) in buffers.enumerated() {
            (place == 0 ? votes : StepVotes()).write(to: buffer.pointer + store.gradientCount)
        }
        reducer.begin(
            step: UInt64(step), replicas: buffers.map { UnsafePointer($0.pointer) },
            output: reduced[step & 1].pointer)
        let start = ContinuousClock.now
        for replica in missing {
            var tail = StepTail(sumCount: sumCount)
            if replica == replicas.lowerBound { tail.votes = votes }
            phase(.data)
            let passes = try passes(replica).filter { $0.sampleCount > 0 }
            phase(.compute)
            try compute(
                step: step, replica: replica, passes: passes, tail: tail, reducer,
                releasing: replica == missing.last)
        }
        measure(ContinuousClock.now - start, replicaCount: missing.count)
        if missing.isEmpty {
            for bucket in plan.buckets.indices { try release(bucket, to: reducer) }
        }
        phase(.ring)
        do throws(CollectiveError) {
            try reducer.finish()
            try reduceRows(step: step, group)
        } catch {
            throw StepError.collective(error)
        }
        phase(.optimizer)
        return try commit(step: step, update)
    }

    private func reduceRows(step: Int, _ group: ProcessGroup) throws(CollectiveError) {
        guard !store.sparseSlots.isEmpty else { return }
        try rowReducer(group, step: UInt64(step)).reduce(
            into: reducedRows[step & 1], own: gradients.rows(of:))
    }

    private func measure(_ duration: Duration, replicaCount: Int) {
        guard replicaCount > 0 else { return }
        let seconds = duration / .seconds(1) / Double(replicaCount)
        secondsPerReplica =
            secondsPerReplica.map { $0 + Self.smoothing * (seconds - $0) } ?? seconds
    }

    private func release(_ bucket: Int, to reducer: GradientReducer) throws(StepError) {
        do { try reducer.complete(bucket: bucket) } catch { throw .collective(error) }
    }

    private func compute(
        step: Int, replica: Int, passes: [MicroBatchPass], tail: StepTail,
        _ reducer: GradientReducer, releasing: Bool
    ) throws(StepError) {
        var tail = tail
        var failure: CollectiveError?
        // Backward goes on though the ring has broken: the gradient is kept.
        func complete(bucket: Int) {
            guard failure == nil else { return }
            do throws(CollectiveError) {
                try reducer.complete(bucket: bucket)
            } catch {
                failure = error
            }
        }
        let buffer = gradients.buffer(of: replica)
        gradients.begin(replica: replica)
        store.bindGradients(to: buffer, rows: gradients.rows(of: replica))
        if releasing { missingParameters = plan.buckets.map(\.parameters.count) }
        for (microBatch, pass) in passes.enumerated() {
            let tape = Tape(
                .training(
                    seed: seed, step: step, replica: replica, microBatch: microBatch,
                    sampleCount: pass.sampleCount))
            tape.profile = profile
            profile?.begin()
            let (loss, sums) = pass.forward(tape)
            tail.add(sums, usedCount: pass.sampleCount)
            if releasing && microBatch == passes.count - 1 {
                // Bucket 0 carries statistics and tail: from here on nobody writes them.
                finishForward(tail, buffer)
                // Without parameters it is complete, and the others wait for their turn behind it.
                if plan.buckets[0].parameters.isEmpty { complete(bucket: 0) }
                tape.onGradientComplete = { [unowned self] parameter in
                    // A sparse table is in no bucket.
                    guard parameter.index >= 0 else { return }
                    let bucket = plan.bucketOfParameter[parameter.index]
                    missingParameters[bucket] -= 1
                    if missingParameters[bucket] == 0 { complete(bucket: bucket) }
                }
            }
            profile?.begin()
            tape.backward(from: loss)
        }
        if passes.isEmpty || !releasing { finishForward(tail, buffer) }
        store.finishGradients()
        // A ring that has broken meanwhile does not make the gradient worthless.
        gradients.complete(replica: replica, step: step)
        guard releasing else { return }
        if let failure { throw .collective(failure) }
        // What no backward delivered (unused parameters, a replica without samples) is zero now.
        for bucket in plan.buckets.indices where missingParameters[bucket] > 0 {
            try release(bucket, to: reducer)
        }
        if plan.buckets[0].parameters.isEmpty { try release(0, to: reducer) }
    }

    private func finishForward(_ tail: StepTail, _ buffer: Tensor) {
        store.finishStatistics()
        tail.write(to: buffer.pointer + store.gradientCount)
    }

    /// Updates the model with the reduced gradient of a step that was taken over from a peer.
    package func commitReceived(step: Int, update: StepUpdate) throws(StepError) -> StepSums {
        try commit(step: step, update)
    }

    private func commit(step: Int, _ update: StepUpdate) throws(StepError) -> StepSums {
        let reduced = reduced[step & 1]
        let tail = StepTail(reading: reduced.pointer + store.gradientCount, sumCount: sumCount)
        guard tail.lossSum.isFinite else {
            throw .diverged(step: step, lossSum: tail.lossSum)
        }
        guard tail.sampleCount < StepTail.countLimit else {
            throw .tooManySamples(step: step, count: tail.sampleCount)
        }
        var norm: Double?
        // Samples may all have the weight 0.
        if tail.lossWeight > 0 {
            norm = apply(update, step: step, lossWeight: tail.lossWeight)
            average?.update(store.values, step: step + 1)
        }
        store.updateStatistics(
            sums: reduced.pointer + store.trainedCount, sampleCount: Float(tail.sampleCount))
        return StepSums(
            lossSum: tail.lossSum, sampleCount: tail.sampleCount, usedCount: tail.usedCount,
            lossWeight: tail.lossWeight, values: tail.sums, gradientNorm: norm,
            votes: tail.votes, dealVoteCount: tail.dealVoteCount)
    }
}

// MARK: - The update

extension ReplicatedStep {
    /// Updates the weights with the reduced gradient.
    /// - Returns: the norm before clipping, where it was needed.
    private func apply(_ update: StepUpdate, step: Int, lossWeight: Float) -> Double? {
        require(
            update.optimizer.states.allSatisfy { $0.count == store.updatedCount },
            "optimizer state of \(update.optimizer.states.map(\.count)) for"
                + " \(store.updatedCount) trained floats")
        let gradients = reduced[step & 1].pointer
        for range in update.otherRanges {
            let others = range.clamped(to: 0..<store.trainedCount)
            (gradients + others.lowerBound).update(repeating: 0, count: others.count)
        }
        let tables = zip(store.sparseSlots, reducedRows[step & 1]).filter { slot, _ in
            !update.otherRanges.contains { $0.contains(slot.offset) }
        }
        // Limiting a gradient that was limited by a peer changes nothing: both have the same bits.
        let (gradientScale, norm) = update.clipping.apply(
            to: gradients, count: store.trainedCount, rows: tables.map(\.1),
            gradientScale: 1 / lossWeight)
        update.optimizer.update(
            store.trainedValues, gradients: gradients, gradientScale: gradientScale,
            learningRate: update.learningRate, step: update.number)
        for (slot, rows) in tables {
            rows.forEachAscending { row, gradient in
                let first = slot.offset + row * rows.width
                update.optimizer.update(
                    store.updatedValues, in: first..<first + rows.width, gradients: gradient,
                    gradientScale: gradientScale, learningRate: update.learningRate,
                    decayFactor: 1, step: update.number)
            }
        }
        return norm
    }
}

/// What a worker is busy with; part of its heartbeat.
package enum StepPhase: String, Sendable {
    case data, compute, ring, optimizer, evaluation, checkpoint
}

/// The ring's addition.
package let ringAddition: AddFunction = { destination, first, second, count in
    rondo_sum(destination, first, second, count)
}
