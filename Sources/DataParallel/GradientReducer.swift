import Collectives
import Foundation
import Tensors

// Reduces the buckets of one step in order, while backward still computes.
//
// A thread of its own runs the collectives, because a collective blocks and backward must not. The
// compute thread says `complete(bucket)` in any order; buckets travel in the order of the plan,
// which is the same on all workers.
//
// The compute thread itself runs them where another would gain nothing. A single worker has nothing
// to wait for and adds up a bucket as soon as it is complete. Between processes that copy all bytes
// themselves, on cores that are busy with computing, a second thread on the core only interrupts
// the first: there all buckets are reduced after backward (2 workers on 2 cores: the steps of the
// MLP and of the CNN take 2 to 13 and 2 to 5 % less time).

/// Owned by the compute thread; the fields below `condition` are shared with the reducing thread.
package final class GradientReducer: @unchecked Sendable {
    private let group: ProcessGroup
    private let plan: BucketPlan
    /// Nil where gradients travel as they are.
    private let rounded: RoundedBucket?
    private let hasThread: Bool

    private let condition = NSCondition()
    // Guarded by `condition`.
    private var step: UInt64 = 0
    private var replicas: [UnsafePointer<Float>] = []
    private var output: UnsafeMutablePointer<Float>?
    /// Buckets up to here (in order) may travel, and have travelled.
    private var releasedCount = 0
    private var reducedCount = 0
    private var isComplete: [Bool]
    private var failure: CollectiveError?
    private var isClosed = false
    private var hasThreadEnded = false

    /// - Parameter hasSpareCore: whether there is a core to reduce on beside those that compute.
    package init(
        group: ProcessGroup, plan: BucketPlan, format: GradientFormat = .float32,
        hasSpareCore: Bool = true
    ) {
        self.group = group
        self.plan = plan
        let capacity = plan.buckets.map(\.elements.count).max() ?? 0
        rounded = format == .float32 ? nil : RoundedBucket(elementCapacity: capacity)
        isComplete = [Bool](repeating: false, count: plan.buckets.count)
        hasThread = hasSpareCore ? group.worldSize > 1 : !group.isInMemory
        guard hasThread else { return }
        let thread = Thread { [self] in reduceUntilClosed() }
        thread.name = "reducer"
        thread.start()
    }

    /// Starts a step: the buffers of the local replicas, and where the sums go.
    /// - Precondition: the step before has been finished.
    package func begin(
        step: UInt64, replicas: [UnsafePointer<Float>], output: UnsafeMutablePointer<Float>
    ) {
        group.setBusy(true)
        condition.lock()
        defer { condition.unlock() }
        self.step = step
        self.replicas = replicas
        self.output = output
        releasedCount = 0
        reducedCount = 0
        for bucket in isComplete.indices { isComplete[bucket] = false }
    }

    /// All local replicas have filled that bucket.
    package func complete(bucket: Int) throws(CollectiveError) {
        condition.lock()
        isComplete[bucket] = true
        while releasedCount < isComplete.count, isComplete[releasedCount] { releasedCount += 1 }
        condition.broadcast()
        condition.unlock()
        if group.worldSize == 1 { try reduceReleased() }
    }

    /// On the compute thread, where no other reduces.
    private func reduceReleased() throws(CollectiveError) {
        while reducedCount < releasedCount {
            try reduce(bucket: reducedCount)
            reducedCount += 1
        }
    }

    /// Waits until all buckets have been reduced. The collectives carry the deadlines.
    /// - Throws: the collective's error; the output is undefined then.
    package func finish() throws(CollectiveError) {
        // The compute thread waits from here on, so the reducing thread may keep the core.
        group.setBusy(false)
        if !hasThread { try reduceReleased() }
        condition.lock()
        defer { condition.unlock() }
        while hasThread, reducedCount < plan.buckets.count, failure == nil, !hasThreadEnded {
            condition.wait()
        }
        if let failure { throw failure }
        precondition(
            reducedCount == plan.buckets.count,
            "\(reducedCount) of \(plan.buckets.count) buckets were reduced")
    }

    /// Ends the thread; a collective that is under way must have been shut down before.
    package func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        while hasThread, !hasThreadEnded { condition.wait() }
        condition.unlock()
    }

    private func reduceUntilClosed() {
        condition.lock()
        while !isClosed, failure == nil {
            guard reducedCount < releasedCount else {
                condition.wait()
                continue
            }
            let bucket = reducedCount
            condition.unlock()
            var outcome: CollectiveError?
            do { try reduce(bucket: bucket) } catch { outcome = error }
            condition.lock()
            failure = outcome
            if outcome == nil { reducedCount += 1 }
            condition.broadcast()
        }
        hasThreadEnded = true
        condition.broadcast()
        condition.unlock()
    }

    /// `replicas` and `output` do not change between `begin` and `finish`, so no lock is needed.
    private func reduce(bucket: Int) throws(CollectiveError) {
        guard let output else { return }
        let elements = plan.buckets[bucket].elements
        let inputs = replicas.map { $0 + elements.lowerBound }
        // Bucket 0 has the counts.
        if let rounded, bucket > 0 {
            try rounded.allReduce(
                group, step: step, bucket: UInt32(bucket), inputs: inputs,
                output: output + elements.lowerBound, elementCount: elements.count)
        } else {
            try group.allReduce(
                step: step, bucket: UInt32(bucket), inputs: inputs,
                output: output + elements.lowerBound, elementCount: elements.count)
        }
    }
}
