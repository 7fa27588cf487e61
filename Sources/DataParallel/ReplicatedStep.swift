import Autodiff
import CKernels
import Collectives
import NeuralNetworks
import Tensors

// One training step of one worker: the gradients of its replicas, the sum over all replicas, the update.
//
//   for each local replica:    forward, backward per micro-batch -> its own flat buffer
//   during the last backward:  buckets are released as they fill -> order-invariant ring all-reduce
//   after the last bucket:     clipping, optimizer, average and running statistics, from the sums divided by
//                              the weight of all samples
//
// Replica r of step s is computed from (weights, step, replica) alone. The buffers of the replicas are
// left as they are until the next step begins: a step that has to be repeated needs them.

/// The sum of one reduced step.
package struct StepSums: Equatable, Sendable {
    package var lossSum: Float
    package var correctCount: Int
    package var sampleCount: Int
    /// What `lossSum` is divided by for the mean.
    package var lossWeight: Float
    /// The norm of the mean gradient before clipping, where it was needed.
    package var gradientNorm: Double?
    /// Whether some worker was asked to stop; equal on all workers.
    package var stopRequested: Bool
}

/// Why a step was not committed; the weights are those before it.
package enum StepError: Error {
    case collective(CollectiveError)
    /// The summed loss is not a finite number.
    case diverged(step: Int, lossSum: Float)
}

/// A forward pass over one micro-batch, and how many samples it holds.
package struct MicroBatchPass {
    package let sampleCount: Int
    package let forward: (Tape) -> (loss: Variable, sums: LossSums)

    package init(sampleCount: Int, forward: @escaping (Tape) -> (loss: Variable, sums: LossSums)) {
        self.sampleCount = sampleCount
        self.forward = forward
    }
}

/// Computes a worker's replicas and commits the reduced step. Used by one thread.
package final class ReplicatedStep {
    private let store: ParameterStore
    private let optimizer: any Optimizer
    private let clipping: GradientClipping
    private let average: ExponentialAverage?
    private let seed: UInt64
    private let replicas: Range<Int>
    private let plan: BucketPlan
    private let reducer: GradientReducer
    private let group: ProcessGroup
    /// One flat buffer per local replica, ascending.
    private let replicaBuffers: [Tensor]
    private let reduced: Tensor
    /// Parameters of each bucket that the last replica's backward has not delivered yet.
    private var missingParameters: [Int] = []

    /// - Parameters:
    ///   - average: takes in the weights after each update.
    ///   - bucketByteCount: see BucketPlan; equal on all workers.
    package init(
        store: ParameterStore, optimizer: any Optimizer, clipping: GradientClipping = .none,
        average: ExponentialAverage? = nil, group: ProcessGroup, seed: UInt64,
        bucketByteCount: Int
    ) {
        self.store = store
        self.optimizer = optimizer
        self.clipping = clipping
        self.average = average
        self.group = group
        self.seed = seed
        replicas = group.deal.ranges[group.rank]
        let totalCount = store.gradientCount + StepTail.elementCount
        plan = BucketPlan(
            parameterOffsets: store.parameterSlots.map(\.offset), parameterEnd: store.values.count,
            totalCount: totalCount,
            bucketElementCount: max(1, bucketByteCount / MemoryLayout<Float>.stride))
        // Zeros, because the gaps between parameters are reduced too and nobody writes them.
        replicaBuffers = replicas.map { _ in Tensor(zeros: [totalCount]) }
        reduced = Tensor(zeros: [totalCount])
        reducer = GradientReducer(group: group, plan: plan)
    }

    /// Ends the reducing thread. The group must have been shut down if a step failed.
    package func close() { reducer.close() }

    /// Runs step `step` (from 0) and commits it.
    ///
    /// - Parameters:
    ///   - passes: the micro-batches of a replica, in order; those without samples are skipped.
    ///   - phase: told when the step goes from computing to waiting for the ring and to updating.
    /// - Throws: `StepError`; nothing has been committed then.
    package func run(
        step: Int, learningRate: Double, stopRequested: Bool, phase: (StepPhase) -> Void,
        passes: (_ replica: Int) throws -> [MicroBatchPass]
    ) throws -> StepSums {
        reducer.begin(
            step: UInt64(step), replicas: replicaBuffers.map { UnsafePointer($0.pointer) },
            output: reduced.pointer)
        for (position, replica) in replicas.enumerated() {
            var tail = StepTail()
            if stopRequested && position == 0 { tail.stopVotes = 1 }
            let isLast = position == replicas.count - 1
            phase(.data)
            let passes = try passes(replica).filter { $0.sampleCount > 0 }
            phase(.compute)
            try compute(
                step: step, replica: replica, passes: passes, into: replicaBuffers[position],
                tail: tail, releasing: isLast)
        }
        phase(.ring)
        do { try reducer.finish() } catch { throw StepError.collective(error) }
        phase(.optimizer)
        return try commit(step: step, learningRate: learningRate)
    }

    private func compute(
        step: Int, replica: Int, passes: [MicroBatchPass], into buffer: Tensor, tail: StepTail,
        releasing: Bool
    ) throws {
        var tail = tail
        var failure: CollectiveError?
        store.bindGradients(to: buffer)
        if releasing { missingParameters = plan.buckets.map(\.parameters.count) }
        for (microBatch, pass) in passes.enumerated() {
            let tape = Tape(
                .training(
                    seed: seed, step: step, replica: replica, microBatch: microBatch,
                    sampleCount: pass.sampleCount))
            let (loss, sums) = pass.forward(tape)
            tail.lossSum += sums.lossSum
            tail.correctCount += Float(sums.correctCount)
            tail.sampleCount += Float(sums.sampleCount)
            tail.lossWeight += sums.weight
            if releasing && microBatch == passes.count - 1 {
                // Bucket 0 carries statistics and tail: from here on nobody writes them.
                finishForward(tail, buffer)
                tape.onGradientComplete = { [unowned self] parameter in
                    let bucket = plan.bucketOfParameter[parameter.index]
                    missingParameters[bucket] -= 1
                    guard missingParameters[bucket] == 0, failure == nil else { return }
                    do throws(CollectiveError) {
                        try reducer.complete(bucket: bucket)
                    } catch {
                        failure = error
                    }
                }
            }
            tape.backward(from: loss)
        }
        if passes.isEmpty || !releasing { finishForward(tail, buffer) }
        store.finishGradients()
        guard releasing else { return }
        // What no backward delivered (unused parameters, a replica without samples) is zero now.
        for bucket in plan.buckets.indices where missingParameters[bucket] > 0 || failure != nil {
            if let failure { throw StepError.collective(failure) }
            do { try reducer.complete(bucket: bucket) } catch { throw StepError.collective(error) }
        }
        if plan.buckets[0].parameters.isEmpty {
            do { try reducer.complete(bucket: 0) } catch { throw StepError.collective(error) }
        }
    }

    private func finishForward(_ tail: StepTail, _ buffer: Tensor) {
        store.finishStatistics()
        tail.write(to: buffer.pointer + store.gradientCount)
    }

    private func commit(step: Int, learningRate: Double) throws(StepError) -> StepSums {
        let tail = StepTail(reading: reduced.pointer + store.gradientCount)
        guard tail.lossSum.isFinite else {
            throw .diverged(step: step, lossSum: tail.lossSum)
        }
        var norm: Double?
        // Samples may all have the weight 0.
        if tail.lossWeight > 0 {
            let gradientScale: Float
            (gradientScale, norm) = clipping.apply(
                to: reduced.pointer, count: store.values.count, gradientScale: 1 / tail.lossWeight)
            optimizer.update(
                store.values, gradients: reduced.pointer, gradientScale: gradientScale,
                learningRate: learningRate, step: step + 1)
            average?.update(store.values, step: step + 1)
        }
        store.updateStatistics(
            sums: reduced.pointer + store.values.count, sampleCount: tail.sampleCount)
        return StepSums(
            lossSum: tail.lossSum, correctCount: Int(tail.correctCount),
            sampleCount: Int(tail.sampleCount), lossWeight: tail.lossWeight, gradientNorm: norm,
            stopRequested: tail.stopVotes > 0)
    }
}

/// What a worker is busy with; part of its heartbeat.
package enum StepPhase: String, Sendable {
    case data, compute, ring, optimizer, evaluation, checkpoint
}

/// The ring's addition.
package let ringAddition: AddFunction = { destination, source, count in
    rondo_add(destination, source, count)
}
