// poll(2) over a handful of descriptors with a deadline. poll rather than epoll: a ring worker
// waits on three descriptors and the coordinator on some dozens, the set changes with every wait (a
// sender with nothing to send must not wake), and there is no registration to keep in step.

import Glibc

/// A set of descriptors to wait on; refilled before each wait, reusing its memory.
package struct Poller {
    /// What to wait for.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: Int16
        package init(rawValue: Int16) { self.rawValue = rawValue }
        package static let read = Interest(rawValue: Int16(POLLIN))
        package static let write = Interest(rawValue: Int16(POLLOUT))
        /// The peer has closed its sending side. (POLLRDHUP, which the Glibc module does not show.)
        package static let peerClosed = Interest(rawValue: 0x2000)
    }

    /// What a wait found; errors and hang-ups are reported whether asked for or not.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: Int16
        package init(rawValue: Int16) { self.rawValue = rawValue }
        package static let read = Readiness(rawValue: Int16(POLLIN))
        package static let write = Readiness(rawValue: Int16(POLLOUT))
        package static let peerClosed = Readiness(rawValue: 0x2000)
        package static let error = Readiness(rawValue: Int16(POLLERR))
        package static let hangUp = Readiness(rawValue: Int16(POLLHUP))
        /// Any of `peerClosed`, `hangUp` and `error`. One number, because an array literal of
        /// options would be allocated each time on the data path.
        package static let ended = Readiness(rawValue: 0x2000 | Int16(POLLERR) | Int16(POLLHUP))
        /// The descriptor is not open: a bug of the caller's.
        package static let invalid = Readiness(rawValue: Int16(POLLNVAL))
    }

    private var entries: [pollfd] = []

    package init() {}

    /// Forgets all descriptors and keeps the memory.
    package mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds a descriptor and returns its slot for `readiness(at:)`.
    @discardableResult
    package mutating func add(_ descriptor: Int32, _ interest: Interest) -> Int {
        entries.append(pollfd(fd: descriptor, events: interest.rawValue, revents: 0))
        return entries.count - 1
    }

    /// Waits until a descriptor is ready or the deadline has passed.
    ///
    /// - Returns: how many descriptors are ready; 0 means the deadline has passed.
    @discardableResult
    package mutating func wait(until deadline: Deadline) throws(TransportError) -> Int {
        while true {
            let result = entries.withUnsafeMutableBufferPointer { entries in
                Int(poll(entries.baseAddress, nfds_t(entries.count), deadline.pollMilliseconds))
            }
            if result > 0 { return result }
            if result < 0 {
                // Not through systemCall: after a signal the remaining time is computed anew.
                let code = errno
                guard code == EINTR else { throw .system(.poll, nil, errno: code) }
            }
            // Also when poll returned 0: a wait is capped at a day, a deadline may lie further off.
            if deadline.hasPassed {
                for index in entries.indices { entries[index].revents = 0 }
                return 0
            }
        }
    }

    /// What the last wait found for a slot.
    package func readiness(at slot: Int) -> Readiness {
        Readiness(rawValue: entries[slot].revents)
    }
}
