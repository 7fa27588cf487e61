// Interrupts a poll from another thread. A pipe, because eventfd is not in the Glibc module; both
// ends are non-blocking, and one byte in the pipe is as good as many.

import Glibc

/// A flag with a descriptor: `signal()` from any thread makes `pollDescriptor` readable until
/// `drain()`.
package final class WakeSignal: Sendable {
    /// Becomes readable when signalled.
    package let pollDescriptor: Int32
    private let writeDescriptor: Int32

    package init() throws(TransportError) {
        var ends: [Int32] = [-1, -1]
        try checkedCall(.wake) { pipe(&ends) }
        pollDescriptor = ends[0]
        writeDescriptor = ends[1]
        try setDescriptorFlags(ends[0], .wake)
        try setDescriptorFlags(ends[1], .wake)
    }

    deinit {
        Glibc.close(pollDescriptor)
        Glibc.close(writeDescriptor)
    }

    /// Wakes the waiting thread; safe to call any number of times from any thread.
    package func signal() {
        var byte: UInt8 = 1
        // A full pipe (would block) is already readable; nothing else can fail while self lives.
        _ = systemCall { write(writeDescriptor, &byte, 1) }
    }

    /// Makes the signal unset.
    package func drain() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while case .success(let count) = systemCall({ read(pollDescriptor, &bytes, 16) }),
            count == 16
        {
        }
    }
}
