import ExitCodes
import Foundation
import Rendezvous
import Transport
import WireFormat

// A worker's way to the coordinator, whichever process that is at the moment. Steps do not need it: while
// nobody answers, the ring goes on and the link calls again, from a thread of its own. A coordinator that
// takes the place of a lost one is told where the worker stands and lets it go on; one that has given the
// worker up makes it a newcomer, and its ring ends.
//
// What has to be told without fail (ready, halted, finished) is part of that standing, so it is told again
// with it. What may be lost on the way (reports of steps) is asked for by the record that the coordinator
// sends back.

/// From any thread; waits are for the worker's main thread.
final class CoordinatorLink: @unchecked Sendable {
    /// Why the main thread has to leave its ring and begin as a newcomer.
    struct Expelled: Error, CustomStringConvertible {
        let description = "the coordinator has given this worker up; it joins again"
    }

    /// The coordinator was lost while it sent the state to go on from.
    struct StateLost: Error, CustomStringConvertible {
        let description = "the coordinator was lost while it sent the state"
    }

    /// One attempt to join; a coordinator that accepts connections answers at once.
    private static let answerTimeout = Duration.seconds(5)
    private static let retryPause = Duration.milliseconds(100)

    private let coordinator: SocketAddress
    private let makeHello: @Sendable (WorkerStanding?) -> WorkerHello
    private let log: @Sendable (String) -> Void
    private let ring: RingSwitch
    /// What the run is about, as told by the coordinator that last took this worker in.
    var description: RunDescription { locked { currentDescription } }
    /// What this worker did last.
    let trail = EventTrail()

    private let condition = NSCondition()
    // Guarded by `condition`.
    private var client: WorkerControlClient?
    private var currentDescription: RunDescription
    private var patience = Duration.seconds(60)
    private var standing: WorkerStanding?
    private var isPrepared = false
    private var isExpelled = false
    private var isAbandoned = false
    private var isClosed = false
    private var ending: RendezvousError?
    private var stopReason: String?
    private var leaveReason: String?
    private var missingRecord: RecordPosition?
    private var progress = WorkerHeartbeat(step: 0, phase: "data")

    /// Joins the coordinator for the first time.
    /// - Throws: as `WorkerControlClient.join`.
    init(
        coordinator: SocketAddress, ring: RingSwitch, deadline: Deadline,
        hello makeHello: @escaping @Sendable (WorkerStanding?) -> WorkerHello,
        log: @escaping @Sendable (String) -> Void
    ) throws {
        self.coordinator = coordinator
        self.makeHello = makeHello
        self.log = log
        self.ring = ring
        let client = try WorkerControlClient.join(
            coordinator: coordinator, hello: makeHello(nil), deadline: deadline
        ) { log("waiting for the coordinator at \(coordinator)") }
        currentDescription = client.description
        adopt(client)
    }

    /// How long a coordinator may stay away.
    func setPatience(_ patience: Duration) { locked { self.patience = patience } }

    func close() {
        let client = locked {
            isClosed = true
            condition.broadcast()
            return self.client
        }
        client?.close()
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    // MARK: - Losing and finding

    /// - Parameter told: the standing in the hello of this client.
    private func adopt(_ client: WorkerControlClient, told: WorkerStanding? = nil) {
        let (isPrepared, leaveReason, progress, untold) = locked {
            self.client = client
            // One that began anew has another secret for the ring.
            currentDescription = client.description
            missingRecord = client.description.attachedRecord
            if standing != nil, client.description.attachedRecord == nil {
                // The generation that this worker was in goes on without it.
                standing = nil
                isExpelled = true
            }
            condition.broadcast()
            return (
                self.isPrepared && standing == nil, self.leaveReason, self.progress,
                standing.flatMap { $0 == told ? nil : $0 }
            )
        }
        if locked({ isExpelled }) { ring.haltCurrent() }
        client.setProgress(progress)
        client.onHalt { [ring] generation in ring.halt(generation: generation) }
        attempt(client) { client throws(RendezvousError) in
            if isPrepared { try client.sendPrepared() }
            if let leaveReason { try client.sendLeaving(reason: leaveReason) }
            // What was said after the hello was made.
            if let ready = untold?.ready, ready != told?.ready { try client.sendReady(ready) }
            if let halted = untold?.halted, halted != told?.halted {
                try client.sendHalted(halted)
            }
            if let finished = untold?.finished, finished != told?.finished {
                try client.sendFinished(finished)
            }
        }
        client.onConnectionLost { [weak self, weak client] error in
            guard let self, let client else { return }
            lost(client, error)
        }
    }

    private func lost(_ client: WorkerControlClient, _ error: RendezvousError) {
        let isPassing = error.code == .coordinatorLost || error.code == .coordinatorSilent
        let isOver = locked {
            guard self.client === client, !isClosed else { return true }
            stopReason = stopReason ?? client.stopReason
            self.client = nil
            if !isPassing { ending = error }
            condition.broadcast()
            return !isPassing
        }
        if isOver {
            if locked({ ending != nil }) { ring.close() }
            return
        }
        log("\(error.message); calling again")
        trail.record("lost the coordinator: \(error.message)")
        let thread = Thread { [self] in callAgain(Deadline.after(locked { patience })) }
        thread.name = "reconnect"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Calls until somebody answers, or for as long as the link is patient.
    private func callAgain(_ deadline: Deadline) {
        while !locked({ isClosed }) {
            let standing = locked { self.standing }
            do throws(RendezvousError) {
                let client = try WorkerControlClient.join(
                    coordinator: coordinator, hello: makeHello(standing),
                    deadline: .earliest(deadline, .after(Self.answerTimeout)))
                log("the coordinator at \(coordinator) is there again")
                adopt(client, told: standing)
                return
            } catch {
                let isFinal: Bool
                switch error.code {
                case .refused, .restart, .aborted, .protocolViolation: isFinal = true
                default: isFinal = deadline.hasPassed
                }
                if isFinal { return giveUp(error) }
            }
            pause(until: .earliest(deadline, .after(Self.retryPause)))
        }
    }

    private func pause(until deadline: Deadline) {
        condition.lock()
        defer { condition.unlock() }
        while !isClosed, !deadline.hasPassed {
            _ = condition.wait(until: Date(timeIntervalSinceNow: deadline.remaining / .seconds(1)))
        }
    }

    private func giveUp(_ error: RendezvousError) {
        let isAway = locked {
            switch error.code {
            case .refused, .restart, .aborted, .protocolViolation: ending = error
            default:
                isAbandoned = true
                ending = RendezvousError(
                    .coordinatorLost,
                    "the coordinator at \(coordinator) has been away for "
                        + "\(Int(patience / .seconds(1))) s")
            }
            condition.broadcast()
            return isAbandoned
        }
        // Workers whose coordinator stays away end their step together, and one of them saves the state.
        if !isAway { ring.close() }
    }

    // MARK: - Asking

    /// Whether the run is to stop after the step: because it was asked to, or because nobody leads it.
    var stopRequested: Bool {
        locked { isAbandoned || stopReason != nil || client?.stopRequested == true }
    }

    /// Whether the coordinator has stayed away for too long.
    var wasAbandoned: Bool { locked { isAbandoned } }

    func dealChange(generation: UInt32) -> DealChange? {
        locked { client }?.dealChange(generation: generation)
    }

    func isPauseRequested(generation: UInt32) -> Bool {
        locked { client }?.isPauseRequested(generation: generation) ?? false
    }

    /// What a coordinator that has taken over has of the run; told once.
    func takeMissingRecord() -> RecordPosition? {
        locked {
            defer { missingRecord = nil }
            return missingRecord
        }
    }

    /// Waits for the next generation, or the end, whoever announces it.
    func awaitNext(deadline: Deadline) throws -> WorkerControlClient.Next {
        while true {
            let client = try awaitClient(deadline)
            do {
                let next = try client.awaitNext(deadline: deadline)
                if case .assignment(let assignment) = next {
                    locked {
                        isExpelled = false
                        standing = WorkerStanding(
                            generation: assignment.generation, rank: assignment.rank)
                    }
                }
                return next
            } catch {
                try passIfLost(error, client)
            }
        }
    }

    /// - Throws: `StateLost` when the coordinator is lost on the way; how the run ended.
    func awaitState(deadline: Deadline) throws -> [TransferredFile] {
        let client = try awaitClient(deadline)
        do {
            return try client.awaitState(deadline: deadline)
        } catch {
            try passIfLost(error, client)
            throw StateLost()
        }
    }

    private func awaitClient(_ deadline: Deadline) throws -> WorkerControlClient {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let client { return client }
            if let ending { throw ending }
            guard !deadline.hasPassed, !isClosed else {
                throw RendezvousError(.timedOut, "waited too long for the coordinator")
            }
            _ = condition.wait(until: Date(timeIntervalSinceNow: deadline.remaining / .seconds(1)))
        }
    }

    /// Returns once the loss that an error tells of has been noticed here too; throws other errors.
    private func passIfLost(_ error: any Error, _ client: WorkerControlClient) throws {
        guard let loss = error as? RendezvousError,
            [.coordinatorLost, .coordinatorSilent, .closed].contains(loss.code)
        else { throw error }
        condition.lock()
        defer { condition.unlock() }
        let deadline = Deadline.after(Self.answerTimeout)
        while self.client === client, ending == nil, !deadline.hasPassed {
            _ = condition.wait(until: Date(timeIntervalSinceNow: deadline.remaining / .seconds(1)))
        }
        if let ending { throw ending }
        if self.client === client { throw error }
    }

    // MARK: - Telling

    func setProgress(step: Int, phase: String) {
        trail.record(phase, step: step)
        let (client, progress) = locked {
            self.progress.step = step
            self.progress.phase = phase
            return (self.client, self.progress)
        }
        client?.setProgress(progress)
    }

    /// What the next signs of life tell of this worker's speed and deal.
    func setPace(secondsPerReplica: Double?, dealNumber: Int) {
        locked {
            progress.secondsPerReplica = secondsPerReplica
            progress.dealNumber = dealNumber
        }
    }

    /// Says something that is told again with this worker's standing if it does not arrive.
    private func tell(
        _ change: (inout WorkerStanding) -> Void,
        _ send: (WorkerControlClient) throws(RendezvousError) -> Void
    ) {
        let client: WorkerControlClient? = locked {
            guard var standing else { return nil }
            change(&standing)
            self.standing = standing
            return self.client
        }
        if let client { attempt(client, send) }
    }

    /// Sends what need not arrive: the client's loss is noticed, and dealt with, elsewhere.
    @discardableResult
    private func attempt(
        _ client: WorkerControlClient, _ send: (WorkerControlClient) throws(RendezvousError) -> Void
    ) -> Bool {
        do {
            try send(client)
            return true
        } catch {
            return false
        }
    }

    /// This worker has read its data and can take part.
    func sendPrepared() {
        let client = locked {
            isPrepared = true
            return standing == nil ? self.client : nil
        }
        if let client {
            attempt(client) { client throws(RendezvousError) in try client.sendPrepared() }
        }
    }

    func sendReady(_ report: ReadyReport) {
        trail.record("in the ring of generation \(report.generation)", step: report.step)
        tell({ $0.ready = report }) { client throws(RendezvousError) in try client.sendReady(report)
        }
    }

    func sendHalted(_ report: HaltReport) {
        let cause = report.cause.map { ": \($0)" } ?? ""
        trail.record("left the ring of generation \(report.generation)\(cause)", step: report.step)
        tell({ $0.halted = report }) { client throws(RendezvousError) in
            try client.sendHalted(report)
        }
    }

    func sendFinished(_ report: FinishedReport) {
        tell({ $0.finished = report }) { client throws(RendezvousError) in
            try client.sendFinished(report)
        }
    }

    func sendLeaving(reason: String) {
        let client = locked {
            leaveReason = leaveReason ?? reason
            return self.client
        }
        if let client {
            attempt(client) { client throws(RendezvousError) in
                try client.sendLeaving(reason: reason)
            }
        }
    }

    func sendFailed(exitCode: ExitCode, message: String) {
        locked { client }?.sendFailed(exitCode: exitCode, message: message)
    }

    /// False when nobody was there to hear.
    func sendSteps(_ reports: [StepReport]) -> Bool {
        guard let client = locked({ client }) else { return false }
        return attempt(client) { client throws(RendezvousError) in try client.sendSteps(reports) }
    }

    func sendEvaluation(_ report: EvaluationReport) -> Bool {
        guard let client = locked({ client }) else { return false }
        return attempt(client) { client throws(RendezvousError) in
            try client.sendEvaluation(report)
        }
    }

    /// Uploads a checkpoint. One on the way is left out when nobody is there; the final one waits.
    /// - Throws: `Expelled` when the generation goes on without this worker; how the run ended.
    func sendCheckpoint(step: Int, isFinal: Bool, files: () throws -> [TransferredFile]) throws {
        guard isFinal || locked({ client != nil }) else { return }
        let deadline = Deadline.after(locked { patience } + .seconds(600))
        while true {
            let client = try awaitClient(deadline)
            if locked({ isExpelled }) { throw Expelled() }
            do {
                return try client.sendCheckpoint(step: step, isFinal: isFinal, files: try files())
            } catch {
                try passIfLost(error, client)
                if !isFinal { return }
            }
        }
    }
}
