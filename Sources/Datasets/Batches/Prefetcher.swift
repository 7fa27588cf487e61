// Prepares batches ahead of their use, on a thread of its own. The order is that of the work list,
// whatever the timing: one thread fills, one queue hands over. A fixed set of batches circulates,
// so the steady state allocates nothing and the queue cannot grow.

import Foundation
import Kernels

/// Turns requests into batches: what a data set must be able to do to be prefetched.
public protocol BatchAssembling: Sendable {
    /// A reusable piece of memory. One owner at a time: the thread fills it, then hands it over.
    associatedtype Batch: AnyObject & Sendable

    /// An empty batch with room for `capacity` samples.
    func makeBatch(capacity: Int) -> Batch
    /// The order of a training epoch (from 0); a pure function of the data set, seed and epoch.
    func order(ofEpoch epoch: Int) -> SampleOrder
    /// Fills `batch` with what is asked for; `order` is the epoch's, for a training request.
    func fill(_ batch: Batch, with request: BatchRequest, order: SampleOrder?)
}

/// Prefetches batches of images.
public typealias ImagePrefetcher = Prefetcher<ImageBatchAssembler>

/// Delivers exactly the batches of a work list, in its order.
///
/// One caller at a time takes and gives back; `stop()` may come from any thread.
public final class Prefetcher<Assembler: BatchAssembling>: @unchecked Sendable {
    private let state: PrefetchState<Assembler>
    private let timeout: Duration

    /// - Parameters:
    ///   - capacity: the most samples any request asks for.
    ///   - depth: batches that may be prepared ahead of the one in use.
    ///   - timeout: the longest wait for a batch before it counts as lost.
    public init(
        assembler: Assembler, work: some Sequence<BatchRequest> & Sendable, capacity: Int,
        depth: Int = 3, timeout: Duration = .seconds(60)
    ) {
        precondition(depth > 0, "depth \(depth)")
        state = PrefetchState<Assembler>(
            free: (0...depth).map { _ in assembler.makeBatch(capacity: capacity) })
        self.timeout = timeout
        let state = state
        let thread = Thread {
            state.run(assembler, work)
        }
        thread.name = "rondo-prefetch"
        thread.stackSize = 512 << 10
        thread.start()
    }

    deinit { state.stop() }

    /// The next batch of the list; nil after the last one and after `stop()`.
    /// - Throws: `stalled` if it is not there in time.
    public func next() throws(DataError) -> Assembler.Batch? { try state.take(within: timeout) }

    /// Gives a batch back for reuse. Its memory must not be touched afterwards.
    public func recycle(_ batch: Assembler.Batch) { state.giveBack(batch) }

    /// Ends the thread and waits until it has ended. Safe to call again.
    public func stop() { state.stop() }
}

/// What the two threads share; kept apart from the prefetcher so that the thread does not keep the
/// prefetcher alive.
private final class PrefetchState<Assembler: BatchAssembling>: @unchecked Sendable {
    private let condition = NSCondition()
    // All of the following only under `condition`.
    private var free: [Assembler.Batch]
    private var ready: [Assembler.Batch] = []
    private var isStopped = false
    private var hasEnded = false
    private let circulating: Int

    init(free: [Assembler.Batch]) {
        self.free = free
        circulating = free.count
        ready.reserveCapacity(free.count)
    }

    func run(_ assembler: Assembler, _ work: some Sequence<BatchRequest>) {
        var order: SampleOrder?
        for request in work {
            if case .training(let epoch, _) = request, order?.epoch != epoch {
                order = assembler.order(ofEpoch: epoch)
            }
            guard let batch = takeFree() else { break }
            assembler.fill(batch, with: request, order: order)
            condition.lock()
            ready.append(batch)
            condition.broadcast()
            condition.unlock()
        }
        condition.lock()
        hasEnded = true
        condition.broadcast()
        condition.unlock()
    }

    /// Waits as long as the consumer computes; `stop()` ends the wait.
    private func takeFree() -> Assembler.Batch? {
        condition.lock()
        defer { condition.unlock() }
        while free.isEmpty, !isStopped { condition.wait() }
        return isStopped ? nil : free.popLast()
    }

    func take(within timeout: Duration) throws(DataError) -> Assembler.Batch? {
        let deadline = ContinuousClock.now + timeout
        condition.lock()
        defer { condition.unlock() }
        while ready.isEmpty, !hasEnded, !isStopped {
            // The condition waits by the wall clock, which may be set; the monotonic one decides.
            let remaining = Self.seconds(deadline - .now)
            guard remaining > 0 else {
                throw DataError(
                    file: "prefetch", problem: .stalled(seconds: Self.seconds(timeout)))
            }
            _ = condition.wait(until: Date(timeIntervalSinceNow: remaining))
        }
        return isStopped || ready.isEmpty ? nil : ready.removeFirst()
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    func giveBack(_ batch: Assembler.Batch) {
        condition.lock()
        defer { condition.unlock() }
        precondition(
            free.count + ready.count < circulating && !free.contains { $0 === batch },
            "a batch was given back twice")
        free.append(batch)
        condition.broadcast()
    }

    /// The thread is never in a wait that this does not end, and one batch takes milliseconds.
    func stop() {
        condition.lock()
        defer { condition.unlock() }
        isStopped = true
        condition.broadcast()
        while !hasEnded { condition.wait() }
    }
}
