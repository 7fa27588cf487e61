// The calling half of RingConnector: connect to the next rank, greet, wait for the answer; on any
// refusal wait a little and start again.

import Transport
import WireFormat

/// The way to an established outgoing link, advanced without blocking.
final class RingCaller {
    /// The link, once the next rank has answered.
    private(set) var established: (any OutgoingLink)?

    private enum State {
        case idle(until: Deadline)
        case connecting(ConnectionAttempt)
        case greeting(any Link, SharedSegment?, [UInt8], sent: Int)
        case awaitingAnswer(any Link, SharedSegment?, received: [UInt8])
        case done
    }

    private static let firstPause = Duration.milliseconds(20)
    private static let longestPause = Duration.seconds(1)

    private let address: SocketAddress
    private var state = State.idle(until: .after(.zero))
    private var pause = RingCaller.firstPause
    private var lastReason = "it has not answered"

    init(address: SocketAddress) { self.address = address }

    /// When to be called again although no descriptor is ready.
    var nextTurn: Deadline? {
        if case .idle(let deadline) = state { return deadline }
        return nil
    }

    func complaint(_ context: RingIntroduction) -> String {
        "no link to rank \(context.nextRank) at \(address): \(lastReason)"
    }

    func addInterests(to poller: inout Poller) {
        switch state {
        case .idle, .done: break
        case .connecting(let attempt): poller.add(attempt.pollDescriptor, .write)
        case .greeting(let link, _, _, _): poller.add(link.pollDescriptor, link.sendInterest)
        case .awaitingAnswer(let link, _, _): poller.add(link.pollDescriptor, link.receiveInterest)
        }
    }

    /// Does what can be done now.
    ///
    /// - Throws: `notShared`, which no other try will change.
    func advance(_ context: RingIntroduction) throws(CollectiveError) {
        do {
            while try step(context) {}
        } catch let error as CollectiveError {
            throw error
        } catch let error as TransportError {
            retry(because: error.description)
        } catch {
            retry(because: "\(error)")
        }
    }

    /// One transition; false when it has to wait.
    private func step(_ context: RingIntroduction) throws -> Bool {
        switch state {
        case .idle(let deadline):
            guard deadline.hasPassed else { return false }
            state = .connecting(try ConnectionAttempt(to: address))
        case .connecting(let attempt):
            guard let connection = try attempt.finish() else { return false }
            if connection.isWithinHost {
                connection.boundSendBuffer(byteCount: RingConnector.sendBufferByteCount)
            }
            let link = try context.links.open(connection, as: .caller)
            let segment = try context.offer(on: link)
            let greeting = try context.greeting(segment.map { .offered($0.location) } ?? .none)
            state = .greeting(link, segment, greeting, sent: 0)
        case .greeting(let link, let segment, let greeting, let sent):
            let result = try greeting.withUnsafeBytes { bytes in
                try link.trySend(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            }
            switch result {
            case .wouldBlock: return false
            case .closed: throw TransportError.closed(.send, address)
            case .transferred(let count):
                state =
                    sent + count < greeting.count
                    ? .greeting(link, segment, greeting, sent: sent + count)
                    : .awaitingAnswer(link, segment, received: [])
            }
        case .awaitingAnswer(let link, let segment, var received):
            switch try link.tryReceive(appendingTo: &received) {
            case .wouldBlock: return false
            case .closed:
                retry(because: "it turned this worker away; is it in the same run?")
                return false
            case .transferred: break
            }
            guard received.count == FrameHandshake.byteCount else {
                state = .awaitingAnswer(link, segment, received: received)
                return true
            }
            return try take(answer: FrameHandshake(decoding: received), on: link, segment, context)
        case .done:
            return false
        }
        return true
    }

    /// The next rank's answer establishes the link or says why it does not stand; false when it has
    /// to be tried again.
    private func take(
        answer: FrameHandshake, on link: any Link, _ segment: SharedSegment?,
        _ context: RingIntroduction
    ) throws -> Bool {
        if let objection = context.objection(to: answer, from: context.nextRank) {
            retry(because: "\(objection) answered")
            return false
        }
        if answer.sharing == .taken, let segment {
            established = SharedMemorySender(segment: segment, bell: link)
        } else if context.transport == .shm {
            throw context.error(
                .notShared("it did not find the memory that was offered"),
                neighbour: context.nextRank)
        } else {
            established = link
        }
        state = .done
        return true
    }

    private func retry(because reason: String) {
        lastReason = reason
        state = .idle(until: .after(pause))
        pause = min(pause * 2, Self.longestPause)
    }
}

extension Link {
    /// Receives up to the end of a handshake and not a byte more: what follows belongs to the ring.
    func tryReceive(appendingTo bytes: inout [UInt8]) throws(TransportError) -> TransferResult {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: FrameHandshake.byteCount - start))
        let outcome = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(TransportError) in
                try tryReceive(UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
            }
        }
        let result = try outcome.get()
        if case .transferred(let count) = result {
            bytes.removeLast(FrameHandshake.byteCount - start - count)
        } else {
            bytes.removeLast(FrameHandshake.byteCount - start)
        }
        return result
    }
}
