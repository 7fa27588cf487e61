// The called half of RingConnector: a connection is a candidate until it has shown the handshake of
// the previous rank. A candidate holds one descriptor and at most 128 bytes, for a few seconds.

import Transport
import WireFormat

/// The way to an accepted incoming link, advanced without blocking.
final class RingDoor {
    /// The link, once the previous rank has been recognised and answered.
    private(set) var accepted: (any IncomingLink)?

    private struct Candidate {
        let link: any Link
        let deadline: Deadline
        var received: [UInt8] = []
        /// What is left of the answer; nil while the handshake is incomplete.
        var answer: [UInt8]?
        /// The caller's memory, if it has been offered and found.
        var segment: SharedSegment?
        /// Whether the answer says no: to a ring that must share memory and cannot.
        var isRefused = false
    }

    private enum Verdict { case keep, drop, accept }

    private let listener: Listener
    private var candidates: [Candidate] = []
    private var lastTurnedAway: String?

    init(listener: Listener) { self.listener = listener }

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
            let link = candidate.link
            poller.add(
                link.pollDescriptor,
                candidate.answer == nil ? link.receiveInterest : link.sendInterest)
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
            guard let link = try? context.links.open(connection, as: .called) else { continue }
            if candidates.count == RingConnector.candidateLimit { candidates.removeFirst() }
            candidates.append(
                Candidate(link: link, deadline: .after(RingConnector.handshakeTimeout)))
        }
        var kept: [Candidate] = []
        for var candidate in candidates {
            switch judge(&candidate, context) {
            case .keep: kept.append(candidate)
            case .drop: candidate.link.close()
            case .accept:
                accepted =
                    candidate.segment.map {
                        SharedMemoryReceiver(segment: $0, bell: candidate.link)
                    } ?? candidate.link
            }
            if accepted != nil { break }
        }
        // Candidates that are left when the link stands close as they are forgotten.
        candidates = accepted == nil ? kept : []
    }

    private func judge(_ candidate: inout Candidate, _ context: RingIntroduction) -> Verdict {
        do {
            while candidate.answer == nil {
                switch try candidate.link.tryReceive(appendingTo: &candidate.received) {
                case .wouldBlock: return candidate.deadline.hasPassed ? .drop : .keep
                case .closed: return .drop
                case .transferred: break
                }
                if let objection = try objection(&candidate, context) {
                    lastTurnedAway = "\(objection) from \(candidate.link.remoteAddress)"
                    return .drop
                }
            }
            while let answer = candidate.answer, !answer.isEmpty {
                let result = try answer.withUnsafeBytes { try candidate.link.trySend($0) }
                switch result {
                case .wouldBlock: return candidate.deadline.hasPassed ? .drop : .keep
                case .closed: return .drop
                case .transferred(let count): candidate.answer?.removeFirst(count)
                }
            }
            return candidate.isRefused ? .drop : .accept
        } catch {
            return .drop
        }
    }

    /// What is wrong with the bytes so far; a wrong magic number shows in the first four. When they
    /// are whole and right, the answer is ready afterwards.
    private func objection(
        _ candidate: inout Candidate, _ context: RingIntroduction
    ) throws(WireFormatError) -> String? {
        guard candidate.received.count >= MemoryLayout<UInt32>.size else { return nil }
        let handshake: FrameHandshake
        do throws(WireFormatError) {
            handshake = try FrameHandshake(decoding: candidate.received)
        } catch {
            if case .truncated = error { return nil }
            return error.description
        }
        if let objection = context.objection(to: handshake, from: context.previousRank) {
            return objection
        }
        candidate.segment = context.segment(offered: handshake.sharing)
        candidate.isRefused = candidate.segment == nil && context.transport == .shm
        candidate.answer = try context.greeting(candidate.segment == nil ? .none : .taken)
        return nil
    }
}
