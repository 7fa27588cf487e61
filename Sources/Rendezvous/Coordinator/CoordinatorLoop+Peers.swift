// What the loop does with single connections: reading frames, distinguishing workers from
// strangers, passing run data on, and ending connections.

import ExitCodes
import Foundation
import Transport
import WireFormat

extension CoordinatorLoop {
    // MARK: - Receiving

    func receive(from id: MemberID) {
        guard let peer = peers[id] else { return }
        var frames: [ControlFrame] = []
        var ending: ChannelError?
        do throws(ChannelError) {
            try peer.channel.receive { frames.append($0) }
        } catch {
            ending = error
        }
        for frame in frames {
            // The frame before may have been the peer's last that counts.
            guard peers[id] === peer else { return }
            switch peer.standing {
            case .stranger: introduce(id, frame)
            case .member: take(frame, from: id)
            case .leaving: break
            }
        }
        if let ending { end(id, ending) }
    }

    /// A stranger's first frame: with anything but a hello or a question for the status it is
    /// dropped.
    private func introduce(_ id: MemberID, _ frame: ControlFrame) {
        guard frame.kind == .message else { return dropStranger(id, "it sent a file's bytes") }
        do {
            switch try WorkerMessage(decoding: frame.payload) {
            case .hello(let hello):
                peers[id]?.standing = .member
                peers[id]?.dataPort = hello.dataPort
                events.append(.joined(id, hello))
            case .status(let request):
                answer(request, to: id)
            default:
                dropStranger(id, "it did not introduce itself")
            }
        } catch {
            dropStranger(id, "\(error)")
        }
    }

    private func take(_ frame: ControlFrame, from id: MemberID) {
        guard let peer = peers[id] else { return }
        do {
            switch frame.kind {
            case .blob:
                guard peer.assembly != nil else {
                    throw ControlMessageError("file bytes that were not announced")
                }
                try peer.assembly?.append(frame.payload)
                events.append(.heard(id, nil))
            case .message:
                try take(try WorkerMessage(decoding: frame.payload), from: id)
            }
        } catch {
            events.append(.lost(id, .protocolViolation("\(error)")))
        }
    }

    private func take(_ message: WorkerMessage, from id: MemberID) throws(ControlMessageError) {
        events.append(.heard(id, nil))
        switch message {
        case .heartbeat(let heartbeat): events.append(.heard(id, heartbeat))
        case .prepared: events.append(.prepared(id))
        case .ready(let report): events.append(.ready(id, report))
        case .halted(let report): events.append(.halted(id, report))
        case .leaving(let request): events.append(.leaving(id, request))
        case .finished(let report): events.append(.finished(id, report))
        case .failed(let report): events.append(.failed(id, report))
        case .steps(let list): take(list.reports, from: id)
        case .evaluation(let report): take(report, from: id)
        case .checkpointBegin(let header):
            guard membership.member(withRank: 0) == id, peers[id]?.assembly == nil else {
                throw ControlMessageError("an unexpected 'checkpointBegin'")
            }
            peers[id]?.assembly = FileAssembly(header: header)
        case .checkpointEnd(let trailer):
            guard let assembly = peers[id]?.assembly else {
                throw ControlMessageError("an unexpected 'checkpointEnd'")
            }
            peers[id]?.assembly = nil
            receiveCheckpoint(assembly.header, try assembly.finish(trailer), from: id)
        case .hello:
            throw ControlMessageError("a second 'hello'")
        case .status:
            throw ControlMessageError("an unexpected 'status'")
        }
    }

    /// Metrics are sums over all workers, so any member's stand for the run; after a change of
    /// members some come twice.
    private func take(_ reports: [StepReport], from id: MemberID) {
        guard takesPart(id) else { return }
        note(stepRecord.take(reports, after: record.reportedStep, now: ContinuousClock.now))
    }

    /// Goes on behind steps whose reports are lost for good.
    func recordBehindGaps() {
        guard
            let (reports, missing) = stepRecord.takeBehindGap(
                after: record.reportedStep, now: ContinuousClock.now)
        else { return }
        delegate.log(
            "the reports of steps \(missing.lowerBound) to \(missing.upperBound) were lost with the"
                + " workers that had them; the steps themselves are not")
        note(reports)
    }

    private func note(_ new: [StepReport]) {
        guard let last = new.last else { return }
        record.reportedStep = last.step
        stalls.committed(new, now: ContinuousClock.now)
        // Those of one deal at a time: the ledger must hear of a deal before its first step.
        var rest = new[...]
        while let first = rest.first {
            let part = rest.prefix { $0.dealNumber == first.dealNumber }
            rest = rest.dropFirst(part.count)
            if first.dealNumber != recordedDeal, var generation = announced[first.dealNumber] {
                generation.startStep = first.step - 1
                recording { try delegate.dealChanged(generation) }
            }
            recordedDeal = first.dealNumber
            recording { try delegate.stepsReported(Array(part)) }
        }
    }

    private func take(_ report: EvaluationReport, from id: MemberID) {
        guard takesPart(id), report.step > record.evaluatedStep else { return }
        record.evaluatedStep = report.step
        stalls.evaluated(report)
        recording { try delegate.evaluationReported(report) }
    }

    /// A measurement that cannot be recorded ends the run, but not before the state is saved.
    private func recording(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            events.append(.stopRequested(reason: "\(error)"))
        }
    }

    /// Whether run data from this worker counts: as a member of the open generation, until the
    /// outcome is settled.
    private func takesPart(_ id: MemberID) -> Bool {
        membership.isUnderWay && membership.members[id]?.rank != nil
    }

    private func receiveCheckpoint(
        _ header: CheckpointHeader, _ files: [TransferredFile], from id: MemberID
    ) {
        guard takesPart(id) else { return }
        let start = ContinuousClock.now
        do {
            try delegate.checkpointReceived(
                step: header.step, isFinal: header.isFinal, files: files)
            let line = StallMessages.checkpoint(
                step: header.step, took: ContinuousClock.now - start)
            if let line { delegate.log(line) }
            record.checkpointStep = max(record.checkpointStep, header.step)
            events.append(.saved(step: header.step))
        } catch {
            let message = "cannot store the checkpoint of step \(header.step): \(error)"
            // One on the way is a loss only if all workers are lost before the next; the last one
            // is the run's result, or all that a stop leaves.
            if header.isFinal || membership.stopReason != nil {
                events.append(.runFailed(exitCode: .failed, message: message))
            } else {
                delegate.log("warning: \(message); training goes on without it")
            }
        }
    }

    // MARK: - Sending

    func enqueue(_ message: CoordinatorMessage, to id: MemberID) {
        do throws(ChannelError) {
            try peers[id]?.enqueue(message)
        } catch {
            end(id, error)
        }
    }

    func send(to id: MemberID) {
        do throws(ChannelError) {
            try peers[id]?.send()
        } catch {
            end(id, error)
        }
    }

    // MARK: - Ending

    /// The connection can no longer be used: forgets a stranger, reports a member's loss.
    private func end(_ id: MemberID, _ error: ChannelError) {
        guard let peer = peers[id] else { return }
        switch peer.standing {
        case .leaving:
            drop(id)
        case .stranger:
            switch error {
            case .closed: dropStranger(id, "it closed without introducing itself")
            case .transport(let reason), .notProtocol(let reason): dropStranger(id, reason)
            case .queueFull: dropStranger(id, "it does not read")
            }
        case .member:
            let cause: LossCause
            switch error {
            case .closed: cause = .connectionClosed
            case .transport(let reason): cause = .connectionFailed(reason)
            case .notProtocol(let reason): cause = .protocolViolation(reason)
            case .queueFull: cause = .notReading
            }
            // The connection goes at once, so that it is not polled again before the event is
            // handled; the membership's `drop` then finds nothing left to do.
            drop(id)
            events.append(.lost(id, cause))
        }
    }

    func drop(_ id: MemberID) {
        peers.removeValue(forKey: id)?.channel.link.close()
    }

    /// Lets a worker read its last message before the connection closes.
    func letGo(_ id: MemberID) {
        peers[id]?.standing = .leaving(until: ContinuousClock.now + Self.leavingTimeout)
    }

    private func dropStranger(_ id: MemberID, _ reason: String) {
        if let address = peers[id]?.channel.link.remoteAddress,
            let line = strangerLog.line(address, reason)
        {
            delegate.log(line)
        }
        drop(id)
    }

    /// Makes the oldest strangers give way while there are too many: an honest worker introduces
    /// itself at once and is never among the oldest for long.
    func evictStrangers() {
        var strangers: [MemberID] = []
        for (id, peer) in peers {
            if case .stranger = peer.standing { strangers.append(id) }
        }
        let excess = strangers.count - settings.strangerLimit
        guard excess > 0 else { return }
        for id in strangers.sorted().prefix(excess) {
            dropStranger(id, "too many connections have not introduced themselves")
        }
    }

    func dropOverdue() {
        let now = ContinuousClock.now
        for (id, peer) in peers {
            guard let deadline = peer.deadline, now >= deadline else { continue }
            if case .stranger = peer.standing {
                dropStranger(id, "it did not introduce itself in time")
            } else {
                drop(id)
            }
        }
    }
}
