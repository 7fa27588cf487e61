// The called half of RingConnector: whoever connects is a candidate until it has shown the handshake
// of the previous rank. A candidate holds one descriptor and at most 128 bytes, for a few seconds.

import Transport
import WireFormat

/// The way to an accepted incoming link, advanced without blocking.
final class RingDoor {
    /// The link, once the previous rank has been recognised and answered.
    private(set) var accepted: Connection?

    private struct Candidate {
        let connection: Connection
        let deadline: Deadline
        var received: [UInt8] = []
        /// Bytes of the answer sent; nil while the handshake is incomplete.
        var answered: Int?
    }

    private enum Verdict { case keep, drop, accept }

    private let listener: Listener
    private let answer: [UInt8]
    private var candidates: [Candidate] = []
    private var lastTurnedAway: String?

    init(listener: Listener, answer: [UInt8]) {
        self.listener = listener
        self.answer = answer
    }

    /// When to be called again although no descriptor is ready: the first candidate's time is up.
    var nextTurn: Deadline? { candidates.map(\.deadline).min { $0.instant < $1.instant } }

    func complaint(_ context: RingIntroduction) -> String {
        let others = lastTurnedAway.map { "; turned away: \($0)" } ?? ""
        return "rank \(context.previousRank) has not called at \(listener.localAddress)\(others)"
    }

    func addInterests(to poller: inout Poller) {
        guard accepted == nil else { return }
        poller.add(listener.pollDescriptor, .read)
        for candidate in candidates {
            poller.add(
                candidate.connection.pollDescriptor, candidate.answered == nil ? .read : .write)
        }
    }

    /// Does what can be done now.
    ///
    /// - Throws: when the listener itself fails; a candidate's failure is only the candidate's.
    func advance(_ context: RingIntroduction) throws(TransportError) {
        guard accepted == nil else { return }
        // Bounded, so that a flood of connections cannot keep the loop from its other work.
        for _ in 0..<RingConnector.candidateLimit {
            guard let connection = try listener.tryAccept() else { break }
            if candidates.count == RingConnector.candidateLimit { candidates.removeFirst() }
            candidates.append(
                Candidate(
                    connection: connection, deadline: .after(RingConnector.handshakeTimeout)))
        }
        var kept: [Candidate] = []
        for var candidate in candidates {
            switch judge(&candidate, context) {
            case .keep: kept.append(candidate)
            case .drop: candidate.connection.close()
            case .accept:
                accepted = candidate.connection
            }
            if accepted != nil { break }
        }
        // Candidates that are left when the link stands close as they are forgotten.
        candidates = accepted == nil ? kept : []
    }

    private func judge(_ candidate: inout Candidate, _ context: RingIntroduction) -> Verdict {
        do throws(TransportError) {
            while candidate.answered == nil {
                switch try candidate.connection.tryReceive(appendingTo: &candidate.received) {
                case .wouldBlock: return candidate.deadline.hasPassed ? .drop : .keep
                case .closed: return .drop
                case .transferred: break
                }
                if let objection = earlyObjection(candidate.received, context) {
                    lastTurnedAway = "\(objection) from \(candidate.connection.remoteAddress)"
                    return .drop
                }
                if candidate.received.count == FrameHandshake.byteCount { candidate.answered = 0 }
            }
            while let sent = candidate.answered, sent < answer.count {
                let result = answer.withUnsafeBytes { bytes in
                    Result { () throws(TransportError) in
                        try candidate.connection.trySend(
                            UnsafeRawBufferPointer(rebasing: bytes[sent...]))
                    }
                }
                switch try result.get() {
                case .wouldBlock: return candidate.deadline.hasPassed ? .drop : .keep
                case .closed: return .drop
                case .transferred(let count): candidate.answered = sent + count
                }
            }
            return .accept
        } catch {
            return .drop
        }
    }

    /// What is wrong with the bytes so far: a wrong magic number shows in the first four.
    private func earlyObjection(_ received: [UInt8], _ context: RingIntroduction) -> String? {
        if received.count == FrameHandshake.byteCount {
            return context.objection(to: received, from: context.previousRank)
        }
        guard received.count >= MemoryLayout<UInt32>.size else { return nil }
        do throws(WireFormatError) {
            _ = try FrameHandshake(decoding: received)
            return nil
        } catch {
            if case .truncated = error { return nil }
            return error.description
        }
    }
}
