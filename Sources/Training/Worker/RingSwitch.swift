import Foundation
import Transport

// Lets the thread that listens to the coordinator end what the training thread does on the ring:
// connecting or reducing. A request may come before the ring that it is about, and must not be lost
// then.

/// From any thread.
final class RingSwitch: @unchecked Sendable {
    private let lock = NSLock()
    // Guarded by `lock`.
    private var haltedGeneration: UInt32 = 0
    private var isClosed = false
    private var current: (generation: UInt32, stop: @Sendable () -> Void)?

    /// What `halt` has to call while this generation is open; called at once if it came first.
    func arm(generation: UInt32, stop: @escaping @Sendable () -> Void) {
        let isTooLate = lock.withLock {
            current = (generation, stop)
            return isClosed || haltedGeneration >= generation
        }
        if isTooLate { stop() }
    }

    func disarm() { lock.withLock { current = nil } }

    /// Ends the ring of that generation and of those before.
    func halt(generation: UInt32) {
        let stop = lock.withLock {
            haltedGeneration = max(haltedGeneration, generation)
            return current.flatMap { $0.generation <= generation ? $0.stop : nil }
        }
        stop?()
    }

    /// Ends the ring that is open, whichever it is.
    func haltCurrent() {
        let stop = lock.withLock { current?.stop }
        stop?()
    }

    /// Ends this ring and all that will come.
    func close() {
        let stop = lock.withLock {
            isClosed = true
            return current?.stop
        }
        stop?()
    }
}
