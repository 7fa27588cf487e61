// A link without a kernel: a bounded queue of bytes that moves a seeded, mostly short, number of
// bytes per call and sometimes claims that it would block. It reaches every split of header and
// payload, which TCP over loopback hardly ever shows.

import Synchronization
import Transport

/// Both ends of a one-way link in memory.
final class MemoryLink: IncomingLink, OutgoingLink, Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        var generator: SeededGenerator
        /// Everything that was ever sent.
        var record: [UInt8] = []
    }

    private let state: Mutex<State>
    private let capacity: Int
    private let longestTransfer: Int
    private let readable: WakeSignal
    private let writable: WakeSignal

    init(seed: UInt64, capacity: Int, longestTransfer: Int) throws {
        state = Mutex(State(generator: SeededGenerator(seed: seed)))
        self.capacity = capacity
        self.longestTransfer = longestTransfer
        readable = try WakeSignal()
        writable = try WakeSignal()
        writable.signal()
    }

    /// A link whose sender has sent `bytes` and closed.
    convenience init(seed: UInt64, delivering bytes: [UInt8]) throws {
        try self.init(seed: seed, capacity: bytes.count, longestTransfer: 50)
        state.withLock {
            $0.bytes = bytes
            $0.isClosed = true
        }
        readable.signal()
    }

    var record: [UInt8] { state.withLock { $0.record } }

    // A link has two ends but one set of names: the sender waits on a descriptor of its own.
    var incoming: any IncomingLink { self }
    var outgoing: any OutgoingLink { Sender(link: self, pollDescriptor: writable.pollDescriptor) }

    var pollDescriptor: Int32 { readable.pollDescriptor }
    var receiveInterest: Poller.Interest { .read }
    var sendInterest: Poller.Interest { .read }
    var medium: String { "a test" }
    var isMemory: Bool { false }

    func tryReceive(
        _ first: UnsafeMutableRawBufferPointer, _ second: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        state.withLock { state in
            if state.bytes.isEmpty {
                if state.isClosed { return .closed }
                readable.drain()
                return .wouldBlock
            }
            let wish = Int.random(in: 0...longestTransfer, using: &state.generator)
            if wish == 0 { return .wouldBlock }
            let count = min(wish, state.bytes.count, first.count + second.count)
            for index in 0..<count {
                if index < first.count {
                    first[index] = state.bytes[index]
                } else {
                    second[index - first.count] = state.bytes[index]
                }
            }
            state.bytes.removeFirst(count)
            writable.signal()
            return .transferred(count)
        }
    }

    func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult {
        state.withLock { state in
            if state.isClosed { return .closed }
            if state.bytes.count >= capacity {
                writable.drain()
                return .wouldBlock
            }
            let wish = Int.random(in: 0...longestTransfer, using: &state.generator)
            if wish == 0 { return .wouldBlock }
            let count = min(wish, capacity - state.bytes.count, first.count + second.count)
            let sent = Array((Array(first) + Array(second)).prefix(count))
            state.bytes += sent
            state.record += sent
            readable.signal()
            return .transferred(count)
        }
    }

    func shutdown() {
        state.withLock { $0.isClosed = true }
        readable.signal()
        writable.signal()
    }

    func close() { shutdown() }

    private final class Sender: OutgoingLink {
        private let link: MemoryLink
        let pollDescriptor: Int32
        var sendInterest: Poller.Interest { .read }
        var medium: String { link.medium }
        var isMemory: Bool { false }

        init(link: MemoryLink, pollDescriptor: Int32) {
            self.link = link
            self.pollDescriptor = pollDescriptor
        }

        func trySend(
            _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
        ) throws(TransportError) -> TransferResult { try link.trySend(first, second) }

        func shutdown() { link.shutdown() }
        func close() { link.close() }
    }
}

/// A sender's end that takes everything and keeps nothing.
final class SinkLink: OutgoingLink, Sendable {
    private let ready: WakeSignal
    var pollDescriptor: Int32 { ready.pollDescriptor }
    var sendInterest: Poller.Interest { .read }
    var medium: String { "nothing" }
    var isMemory: Bool { false }

    init() throws {
        ready = try WakeSignal()
        ready.signal()
    }

    func trySend(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(TransportError) -> TransferResult { .transferred(first.count + second.count) }

    func shutdown() {}
    func close() {}
}
