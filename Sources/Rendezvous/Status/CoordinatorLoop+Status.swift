// What the loop says about the run: the answer to a question for its status, and the line about a
// stall.

import Foundation
import WireFormat

extension CoordinatorLoop {
    /// Answers a question for the status and ends its connection.
    func answer(_ request: StatusRequest, to id: MemberID) {
        if let token = settings.membership.joinToken, request.token != token {
            let refusal = Refusal(
                reason: .wrongToken, message: "the question for the status lacks the run's token")
            enqueue(.refused(refusal), to: id)
        } else {
            enqueue(.status(status(at: ContinuousClock.now)), to: id)
        }
        // The connection may have ended while the answer was sent.
        if peers[id] != nil { letGo(id) }
    }

    private func status(at now: ContinuousClock.Instant) -> StatusReport {
        StatusReport(
            run: settings.runName, state: membership.phase.name,
            generation: membership.generation?.number ?? 0,
            startStep: membership.generation?.startStep ?? settings.membership.startStep,
            step: record.reportedStep, totalSteps: settings.totalSteps,
            samplesPerSecond: stalls.samplesPerSecond, sinceStep: now - stalls.lastCommit,
            arrivingCheckpoint: peers.values.lazy.compactMap { $0.assembly?.header.step }.first,
            coordinatorPID: ProcessInfo.processInfo.processIdentifier,
            workers: membership.bySlot.map { $0.status(in: membership.generation, now) })
    }

    /// Logs why no step comes, if it is time to.
    func watchForStalls() {
        let now = ContinuousClock.now
        if let line = stalls.line(of: membership, now: now, processState: ProcessState.init) {
            delegate.log(line)
        }
    }
}

extension Membership.Phase {
    /// The phase in one word.
    var name: String {
        switch self {
        case .gathering: "gathering"
        case .waiting: "waiting"
        case .attaching: "attaching"
        case .preparing: "preparing"
        case .running: "running"
        case .regrouping: "regrouping"
        case .ending, .over: "ending"
        }
    }
}

extension Membership.Member {
    fileprivate func status(
        in generation: GenerationDescription?, _ now: Membership.Instant
    ) -> StatusReport.Worker {
        let ranges = generation?.deal.ranges ?? []
        return StatusReport.Worker(
            slot: slot, rank: rank, host: hello.hostName, pid: hello.processID,
            phase: progress?.phase ?? "joining", step: progress?.step ?? 0,
            replicas: rank.flatMap { ranges.indices.contains($0) ? ranges[$0] : nil },
            silence: now - lastHeard)
    }
}
