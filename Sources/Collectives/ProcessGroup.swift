// The workers of one generation, joined in a ring: what the layers above use of this target.

import Synchronization
import Transport
import WireFormat

/// Collectives among the workers of one generation.
///
/// All workers make the same calls in the same order with equal steps, buckets and sizes; frames
/// carry these, and a disagreement is an error and not a wrong sum. One caller at a time;
/// `shutdown()` may come from any thread. After any error the group is dead: every later call
/// throws the same error, and a new group is built for the next generation.
package final class ProcessGroup: @unchecked Sendable {
    /// Bytes of a frame's payload unless a test asks for less. Measured with 2 and 4 workers on 2
    /// busy cores: 512 KiB and 1 MiB are equally fast, 128 and 256 KiB up to a third slower at 4
    /// and 64 MB (more wake-ups per byte); the smaller of the fast ones lets a chunk be sent on
    /// earlier.
    package static let defaultSegmentByteCount = 512 << 10

    /// All replicas' buffers together up to which an all-reduce exchanges them whole.
    package static let defaultExchangeByteCount = 128 << 10

    package let rank: Int
    package let generation: UInt32
    /// How the replicas are dealt out to the ranks; see `adopt`.
    package private(set) var deal: ReplicaDeal
    package var worldSize: Int { deal.worldSize }
    package var previousRank: Int { (rank + worldSize - 1) % worldSize }
    package var nextRank: Int { (rank + 1) % worldSize }

    /// What the link to the next worker goes through, for people; nil for a single worker.
    package var medium: String? { engine?.next.medium }

    /// Whether this process copies all bytes itself, so that a transfer makes no progress while it
    /// computes.
    package var isInMemory: Bool {
        guard let engine else { return true }
        return engine.previous.isMemory && engine.next.isMemory
    }

    /// Payload bytes sent to the next worker since the group was built, headers not counted.
    package var payloadBytesSent: UInt64 { engine?.payloadBytesSent ?? 0 }

    private let add: AddFunction
    private let segmentByteCount: Int
    private let exchangeByteCount: Int
    /// Nil for a single worker.
    private let engine: RingEngine?
    private let wake: WakeSignal
    private let isShutDown = Atomic<Bool>(false)
    /// Whether this host has a core for each of its workers.
    private let hasCores: Bool

    // Built once, so that a call allocates nothing. Caller's thread only, like everything below.
    private var reduceSchedule: RingSchedule
    private let gatherSchedule: RingSchedule
    private let barrierSchedule: RingSchedule
    private let broadcastSchedules: [RingSchedule]
    private var borders: [Int] = []
    /// An exchange needs the chunks' and the ranks' borders at once; sharing one array would copy
    /// it.
    private var rankBorders: [Int] = []
    private var failure: CollectiveError?
    private let sumScratch: UnsafeMutableRawPointer
    /// All replicas' buffers, one after another, in an exchange; and where each starts.
    private let exchanged: UnsafeMutableRawPointer
    private var exchangedInputs: [UnsafePointer<Float>] = []

    /// - Parameters:
    ///   - previous: the link on which the rank before this one sends; nil exactly for one worker.
    ///   - next: the link to the rank after this one; nil exactly for one worker.
    ///   - timeout: how long a call waits without a byte moving before it fails.
    ///   - segmentByteCount: payload of a frame, a positive multiple of 4 and equal on all workers.
    ///     The default is the measured one; tests go down to 4 bytes to reach every path cheaply.
    ///   - exchangeByteCount: see `allReduce`; equal on all workers. Tests set 0 to send short
    ///     buffers round the ring.
    ///   - hasCores: whether this host has a core for each of its workers: then a wait begins by
    ///     spinning for some microseconds, which would keep another worker from its work otherwise.
    ///   - add: the addition; must give the same bits on every host.
    /// - Throws: `transport` when the system has no descriptor left.
    package init(
        rank: Int, generation: UInt32, deal: ReplicaDeal, previous: (any IncomingLink)?,
        next: (any OutgoingLink)?, timeout: Duration,
        segmentByteCount: Int = ProcessGroup.defaultSegmentByteCount,
        exchangeByteCount: Int = ProcessGroup.defaultExchangeByteCount, hasCores: Bool = false,
        add: @escaping AddFunction
    ) throws(CollectiveError) {
        let worldSize = deal.worldSize
        precondition(0..<worldSize ~= rank, "rank \(rank) of \(worldSize)")
        precondition(
            segmentByteCount > 0 && segmentByteCount % MemoryLayout<Float>.size == 0
                && segmentByteCount <= 1 << 30, "a segment of \(segmentByteCount) bytes")
        self.rank = rank
        self.generation = generation
        self.deal = deal
        self.add = add
        self.hasCores = hasCores
        self.segmentByteCount = segmentByteCount
        self.exchangeByteCount = exchangeByteCount
        do {
            wake = try WakeSignal()
        } catch {
            throw CollectiveError(
                operation: .connect, cause: .transport(error), rank: rank, neighbour: nil,
                generation: generation, step: 0, bucket: 0)
        }
        if let previous, let next {
            precondition(worldSize > 1, "a single worker has no links")
            engine = RingEngine(
                previous: previous, next: next, wake: wake, timeout: timeout,
                segmentByteCount: segmentByteCount, generation: generation, add: add)
        } else {
            precondition(worldSize == 1, "\(worldSize) workers need links")
            engine = nil
        }
        reduceSchedule = RingPlan(deal: deal).schedule(of: rank)
        gatherSchedule = .allGather(rank: rank, worldSize: worldSize)
        barrierSchedule = .allGather(rank: rank, worldSize: worldSize, phase: .barrier)
        broadcastSchedules = (0..<worldSize).map { root in
            .broadcast(rank: rank, worldSize: worldSize, root: root)
        }
        sumScratch = .allocate(byteCount: segmentByteCount, alignment: 64)
        exchanged = .allocate(byteCount: exchangeByteCount, alignment: 64)
        setBusy(false)
    }

    deinit {
        close()
        sumScratch.deallocate()
        exchanged.deallocate()
    }

    /// How long later calls wait without a byte moving before they fail. From any thread.
    package func setStallTimeout(_ timeout: Duration) { engine?.timeout = timeout }

    /// Whether this process computes while a call is under way: then waits do not spin, as they
    /// would take the core from the computation. From any thread.
    package func setBusy(_ isBusy: Bool) {
        engine?.maySpin.store(hasCores && !isBusy, ordering: .relaxed)
    }

    /// Deals the replicas out anew. All workers must do so between the same two calls.
    /// - Precondition: as many ranks and replicas as before.
    package func adopt(_ deal: ReplicaDeal) {
        precondition(
            deal.worldSize == self.deal.worldSize && deal.replicaCount == self.deal.replicaCount,
            "a deal of \(deal.replicaCount) to \(deal.worldSize) instead of "
                + "\(self.deal.replicaCount) to \(self.deal.worldSize)")
        self.deal = deal
        reduceSchedule = RingPlan(deal: deal).schedule(of: rank)
    }

    /// Sums all replicas' buffers; every worker gets the sum.
    ///
    /// The additions and so the bits are the same for every deal of the same replicas. While all
    /// replicas' buffers together are not above `exchangeByteCount`, the workers exchange them
    /// whole and each does all the additions: latency decides for such a call, and this takes N-1
    /// hops where the ring takes 2(N-1) or one more.
    /// - Parameters:
    ///   - inputs: one pointer per local replica, ascending, `elementCount` floats each; left as
    ///     they are, except in place.
    ///   - output: `elementCount` floats; `inputs[0]` for in place, otherwise apart from all
    ///     inputs. Undefined after an error.
    ///   - addition: adds elements that are no floats but as large; must commute and give the same
    ///     bits on every host. Nil is the group's addition.
    package func allReduce(
        step: UInt64, bucket: UInt32, inputs: [UnsafePointer<Float>],
        output: UnsafeMutablePointer<Float>, elementCount: Int, adding addition: AddFunction? = nil
    ) throws(CollectiveError) {
        precondition(
            inputs.count == deal.ranges[rank].count,
            "\(inputs.count) inputs for \(deal.ranges[rank].count) replicas")
        precondition(elementCount >= 0, "\(elementCount) elements")
        setChunkBorders(elementCount)
        let call = RingCall(
            operation: .allReduce, step: step, bucket: bucket, inputs: inputs,
            output: UnsafeMutableRawPointer(output), borders: borders,
            isInPlace: inputs[0] == UnsafePointer(output), addition: addition)
        let (total, overflow) = elementCount.multipliedReportingOverflow(
            by: deal.replicaCount * MemoryLayout<Float>.size)
        if engine == nil {
            try checkUsable(call)
            sumAll(
                call, segmentByteCount: segmentByteCount, scratch: sumScratch,
                add: addition ?? add)
        } else if !overflow, total <= exchangeByteCount {
            try exchangeAndSum(call, byteCount: elementCount * MemoryLayout<Float>.size)
        } else {
            try run(call, reduceSchedule)
        }
    }

    /// Gives every worker all workers' bytes, in rank order.
    ///
    /// - Parameters:
    ///   - contribution: this worker's bytes, `byteCounts[rank]` of them.
    ///   - byteCounts: by rank; equal on all workers. May be 0.
    ///   - output: as many bytes as all together. Undefined after an error.
    package func allGather(
        step: UInt64, contribution: UnsafeRawBufferPointer, byteCounts: [Int],
        output: UnsafeMutableRawBufferPointer
    ) throws(CollectiveError) {
        precondition(
            byteCounts.count == worldSize && byteCounts.allSatisfy { $0 >= 0 },
            "byte counts \(byteCounts) for \(worldSize) workers")
        precondition(
            contribution.count == byteCounts[rank],
            "\(contribution.count) bytes, announced \(byteCounts[rank])")
        borders.removeAll(keepingCapacity: true)
        var end = 0
        borders.append(end)
        for byteCount in byteCounts {
            end += byteCount
            borders.append(end)
        }
        precondition(output.count == end, "\(output.count) bytes of output for \(end)")
        let call = RingCall(
            operation: .allGather, step: step, output: output.baseAddress, borders: borders)
        try checkUsable(call)
        if let source = contribution.baseAddress, let destination = output.baseAddress {
            // memmove: the contribution may already lie in its place.
            (destination + borders[rank]).copyMemory(from: source, byteCount: contribution.count)
        }
        try run(call, gatherSchedule)
    }

    /// Gives every worker the root's bytes.
    ///
    /// - Parameter buffer: equally long on all workers; undefined after an error, except the
    ///   root's.
    package func broadcast(
        step: UInt64, root: Int, buffer: UnsafeMutableRawBufferPointer
    ) throws(CollectiveError) {
        precondition(0..<worldSize ~= root, "root \(root) of \(worldSize)")
        borders.removeAll(keepingCapacity: true)
        borders.append(0)
        borders.append(buffer.count)
        let call = RingCall(
            operation: .broadcast, step: step, output: buffer.baseAddress, borders: borders)
        try run(call, broadcastSchedules[root])
    }

    /// Returns when every worker has called it: a token of each rank goes all the way round.
    package func barrier(step: UInt64) throws(CollectiveError) {
        borders.removeAll(keepingCapacity: true)
        for _ in 0...worldSize { borders.append(0) }
        try run(RingCall(operation: .barrier, step: step, borders: borders), barrierSchedule)
    }

    /// Makes a call that is under way, and every later one, throw at once. From any thread.
    package func shutdown() {
        isShutDown.store(true, ordering: .releasing)
        wake.signal()
        engine?.previous.shutdown()
        engine?.next.shutdown()
    }

    /// Gives the links' descriptors back; later calls throw. On the caller's thread.
    package func close() {
        isShutDown.store(true, ordering: .releasing)
        engine?.previous.close()
        engine?.next.close()
    }

    /// Throws once a call has failed or the group was shut down: what is computed between two calls
    /// may be given up then. On the thread of the calls, or while none is under way.
    package func checkIsOpen(step: UInt64) throws(CollectiveError) {
        try checkUsable(RingCall(operation: .barrier, step: step))
    }

    /// Ends the group because what a gather or broadcast has brought makes no sense.
    /// - Returns: the error to throw.
    package func refuse(
        _ operation: CollectiveError.Operation, step: UInt64, _ problem: String
    ) -> CollectiveError {
        fail(
            RingCall(operation: operation, step: step, borders: []),
            .init(.senselessPayload(problem), .none))
    }

    // MARK: - Running

    private func run(_ call: RingCall, _ schedule: RingSchedule) throws(CollectiveError) {
        try checkUsable(call)
        guard let engine else { return }
        do {
            try engine.run(call, schedule)
        } catch {
            // A link that breaks because of our own shutdown is not the neighbour's fault.
            throw fail(
                call, isShutDown.load(ordering: .acquiring) ? .init(.shutDown, .none) : error)
        }
    }

    private func checkUsable(_ call: RingCall) throws(CollectiveError) {
        if let failure { throw failure }
        if isShutDown.load(ordering: .acquiring) { throw fail(call, .init(.shutDown, .none)) }
    }

    private func fail(_ call: RingCall, _ failure: RingFailure) -> CollectiveError {
        let neighbour: Int? =
            switch failure.side {
            case .previous: previousRank
            case .next: nextRank
            case .none: nil
            }
        let error = CollectiveError(
            operation: call.operation, cause: failure.cause, rank: rank, neighbour: neighbour,
            generation: generation, step: call.step, bucket: call.bucket)
        self.failure = error
        // The neighbours must not wait for a worker that has given up.
        engine?.previous.shutdown()
        engine?.next.shutdown()
        return error
    }

    private func setChunkBorders(_ elementCount: Int) {
        let chunkCount = deal.replicaCount
        borders.removeAll(keepingCapacity: true)
        borders.append(0)
        for chunk in 0..<chunkCount {
            let elements = RingPlan.elements(
                ofChunk: chunk, elementCount: elementCount, chunkCount: chunkCount)
            borders.append(elements.upperBound * MemoryLayout<Float>.size)
        }
    }

    /// Gathers all replicas' buffers and sums them here.
    private func exchangeAndSum(_ call: RingCall, byteCount: Int) throws(CollectiveError) {
        for (replica, input) in zip(deal.ranges[rank], call.inputs) {
            (exchanged + replica * byteCount).copyMemory(from: input, byteCount: byteCount)
        }
        rankBorders.removeAll(keepingCapacity: true)
        rankBorders.append(0)
        for range in deal.ranges { rankBorders.append(range.upperBound * byteCount) }
        try run(
            RingCall(
                operation: .allReduce, step: call.step, bucket: call.bucket, output: exchanged,
                borders: rankBorders), gatherSchedule)
        exchangedInputs.removeAll(keepingCapacity: true)
        for replica in 0..<deal.replicaCount {
            exchangedInputs.append(
                UnsafePointer((exchanged + replica * byteCount).assumingMemoryBound(to: Float.self))
            )
        }
        sumAll(
            RingCall(
                operation: .allReduce, inputs: exchangedInputs, output: call.output,
                borders: call.borders), segmentByteCount: segmentByteCount, scratch: sumScratch,
            add: call.addition ?? add)
    }
}
