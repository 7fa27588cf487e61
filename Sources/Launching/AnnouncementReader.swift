// The lines that a child writes to its descriptor 3 for its parent: where it listens, and how the
// run ended. Lines are short and few, and the reader has a bound nevertheless.

import Glibc
import Synchronization

/// Reads lines from a child's announcement pipe, each wait with a deadline.
package final class AnnouncementReader: Sendable {
    private static let byteLimit = 64 * 1024
    private struct State {
        var pending: [UInt8] = []
        var isAtEnd = false
    }
    private let descriptor: Int32
    private let state = Mutex(State())

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// The next line without its end, or nil when the child has closed its end, the deadline has
    /// passed or the line is longer than any announcement. Without a deadline it waits for the
    /// child.
    package func nextLine(until instant: ContinuousClock.Instant?) -> String? {
        state.withLock { state in
            while true {
                if let end = state.pending.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: state.pending[..<end], as: UTF8.self)
                    state.pending.removeSubrange(...end)
                    return line
                }
                guard !state.isAtEnd, state.pending.count < Self.byteLimit,
                    wait(until: instant)
                else { return nil }
                var piece = [UInt8](repeating: 0, count: 4096)
                let count = retryingInterrupts { read(descriptor, &piece, piece.count) }
                if count <= 0 { state.isAtEnd = true } else { state.pending += piece[..<count] }
            }
        }
    }

    private func wait(until instant: ContinuousClock.Instant?) -> Bool {
        while true {
            var milliseconds: Int32 = -1
            if let instant {
                let left = max(.zero, instant - ContinuousClock.now)
                milliseconds = Int32(min(left / .milliseconds(1), 86_400_000).rounded(.up))
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let result = poll(&entry, 1, milliseconds)
            if result > 0 { return true }
            if result == 0 || errno != EINTR { return false }
        }
    }
}
