import CTransport

/// Copies to a ring in shared memory, by the faster of two ways.
///
/// A plain store has to take the line away from the core that has read it last. Where the two cores
/// share a cache that is quick; where they do not (other half of a socket, other socket), it
/// crawls: 64 KB took 4 us and 25 to 40 us on one machine, whose virtual cores move about.
/// Streaming stores bypass the caches and take 3 to 4 us in either case, but then the reader
/// fetches from main memory. So plain copies are timed, and after one that crawled the next ones
/// stream. (All-reduce of 1 MB, 2 workers: 72 us with plain copies and a common cache; without one
/// 500 us with plain copies, 100 us with these.)
struct RingCopy {
    /// Shorter copies are plain: latency decides for messages of that size.
    private static let timedByteCount = 16 << 10
    private var choice = CopyChoice()

    mutating func copy(
        _ source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, byteCount: Int
    ) {
        guard byteCount >= Self.timedByteCount else {
            destination.copyMemory(from: source, byteCount: byteCount)
            return
        }
        if choice.streams() {
            rondo_ring_stream(destination, source, byteCount)
            return
        }
        let start = ContinuousClock.now
        destination.copyMemory(from: source, byteCount: byteCount)
        choice.record(
            nanoseconds: (ContinuousClock.now - start) / .nanoseconds(1), byteCount: byteCount)
    }
}

/// Decides which way the next copy goes by how long plain copies took.
package struct CopyChoice {
    /// A plain copy of less than 4 GB/s crawls.
    private static let crawlNanosecondsPerByte = 0.25
    /// How many copies stream after one that crawled: few when that may have been an interruption,
    /// more each time that it is confirmed.
    package static let streamedCounts = 16...1024

    private var streamedCount = streamedCounts.lowerBound
    private var streamsLeft = 0

    package init() {}

    /// Whether the next copy streams; otherwise it is timed.
    package mutating func streams() -> Bool {
        guard streamsLeft > 0 else { return false }
        streamsLeft -= 1
        return true
    }

    /// Records how long a plain copy took.
    package mutating func record(nanoseconds: Double, byteCount: Int) {
        if nanoseconds < Double(byteCount) * Self.crawlNanosecondsPerByte {
            streamedCount = Self.streamedCounts.lowerBound
        } else {
            streamsLeft = streamedCount
            streamedCount = min(2 * streamedCount, Self.streamedCounts.upperBound)
        }
    }
}
