import ExitCodes
import Foundation
import Rendezvous
import Transport
import WireFormat

// A worker's way to the coordinator, whichever process it is at the moment. Steps do not need it:
// while no coordinator answers, the ring goes on and the link calls again, from a thread of its
// own. A coordinator that takes the place of a lost one learns where the worker stands and lets it
// go on; one that has given the worker up makes it a newcomer, and its ring ends.
//
// Reports that must arrive are kept and sent again to the next coordinator (KeptReports). Reports
// that may be lost on the way (of steps) are asked for by the record that the coordinator sends
// back.

/// From any thread; waits are for the worker's main thread.
///
/// Unchecked: `state` is only touched with `condition` locked; the rest is constant.
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

    private struct State {
        /// The conversation with the present coordinator; nil while there is none.
        var session: WorkerSession?
        var description: RunDescription
        var patience = Duration.seconds(60)
        var reports = KeptReports()
        /// The generation goes on without this worker.
        var isExpelled = false
        /// The coordinator has stayed away for too long.
        var isAbandoned = false
        var isClosed = false
        /// How the run ended for this worker.
        var ending: RendezvousError?
        /// A coordinator that is lost has asked to stop.
        var isStopRequested = false
        var missingRecord: RecordPosition?
        var progress = WorkerHeartbeat(step: 0, phase: "data")
    }

    private let coordinator: SocketAddress
    private let links: any LinkFactory
    private let makeHello: @Sendable (WorkerStanding?) -> WorkerHello
    private let log: @Sendable (String) -> Void
    private let ring: RingSwitch
    /// What this worker did last.
    let trail = EventTrail()
    private let condition = NSCondition()
    private var state: State

    /// Joins the coordinator for the first time.
    /// - Throws: as `WorkerSession.join`.
    init(
        coordinator: SocketAddress, ring: RingSwitch, links: any LinkFactory = .standard,
        deadline: Deadline, hello makeHello: @escaping @Sendable (WorkerStanding?) -> WorkerHello,
        log: @escaping @Sendable (String) -> Void
    ) throws {
        self.coordinator = coordinator
        self.links = links
        self.makeHello = makeHello
        self.log = log
        self.ring = ring
        let session = try WorkerSession.join(
            coordinator: coordinator, hello: makeHello(nil), links: links, deadline: deadline
        ) { log("waiting for the coordinator at \(coordinator)") }
        state = State(description: session.description)
        adopt(session)
    }

    /// What the run is about, as the coordinator said that last took this worker in.
    var description: RunDescription { locked { $0.description } }

    /// How long a coordinator may stay away.
    func setPatience(_ patience: Duration) { locked { $0.patience = patience } }

    func close() {
        let session = locked { state in
            state.isClosed = true
            return state.session
        }
        session?.close()
    }

    /// Changes the state and wakes those who wait for a change.
    private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return body(&state)
    }

    // MARK: - Losing and finding a coordinator

    /// - Parameter known: the standing in the hello of this session.
    private func adopt(_ session: WorkerSession, known: WorkerStanding? = nil) {
        let (isExpelled, progress, missing) = locked { state in
            state.session = session
            // A coordinator that began anew has another secret for the ring.
            state.description = session.description
            state.missingRecord = session.description.attachedRecord
            if state.reports.standing != nil, session.description.attachedRecord == nil {
                state.reports.leaveGeneration()
                state.isExpelled = true
            }
            return (state.isExpelled, state.progress, state.reports.missing(from: known))
        }
        if isExpelled { ring.haltCurrent() }
        session.setProgress(progress)
        session.onHalt { [ring] generation in ring.halt(generation: generation) }
        for message in missing { deliver(message, to: session) }
        session.onConnectionLost { [weak self, weak session] error in
            guard let self, let session else { return }
            lost(session, error)
        }
        if locked({ $0.isClosed }) { session.close() }
    }

    private func lost(_ session: WorkerSession, _ error: RendezvousError) {
        let patience: Duration? = locked { state in
            guard state.session === session, !state.isClosed else { return nil }
            state.isStopRequested = state.isStopRequested || session.stopReason != nil
            state.session = nil
            if error.isPassing { return state.patience }
            state.ending = error
            return nil
        }
        guard let patience else {
            if locked({ $0.ending != nil }) { ring.close() }
            return
        }
        log("\(error.message); calling again")
        trail.record("lost the coordinator: \(error.message)")
        let thread = Thread { [self] in callAgain(for: patience) }
        thread.name = "reconnect"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Calls until a coordinator answers, or for as long as the link is patient.
    private func callAgain(for patience: Duration) {
        let deadline = Deadline.after(patience)
        while !locked({ $0.isClosed }) {
            let standing = locked { $0.reports.standing }
            do throws(RendezvousError) {
                let session = try WorkerSession.join(
                    coordinator: coordinator, hello: makeHello(standing), links: links,
                    deadline: .earliest(deadline, .after(Self.answerTimeout)))
                log("the coordinator at \(coordinator) is there again")
                return adopt(session, known: standing)
            } catch {
                if !error.isPassing { return end(error) }
                if deadline.hasPassed { return abandon(after: patience) }
            }
            wait(until: .earliest(deadline, .after(Self.retryPause))) { $0.isClosed ? () : nil }
        }
    }

    private func end(_ error: RendezvousError) {
        locked { $0.ending = error }
        ring.close()
    }

    /// The ring stays open: workers whose coordinator stays away end their step together, and one
    /// of them saves the state.
    private func abandon(after patience: Duration) {
        locked { state in
            state.isAbandoned = true
            state.ending = RendezvousError(
                .coordinatorLost,
                "the coordinator at \(coordinator) has been away for "
                    + "\(Int(patience / .seconds(1))) s")
        }
    }

    // MARK: - What the coordinator asks for

    /// Whether the run is to stop after the step: because of a request, or because its coordinator
    /// stays away.
    var stopRequested: Bool {
        locked { $0.isAbandoned || $0.isStopRequested || $0.session?.stopReason != nil }
    }

    /// Whether the coordinator has stayed away for too long.
    var wasAbandoned: Bool { locked { $0.isAbandoned } }

    func dealChange(generation: UInt32) -> DealChange? {
        locked { $0.session }?.dealChange(generation: generation)
    }

    func isPauseRequested(generation: UInt32) -> Bool {
        locked { $0.session }?.isPauseRequested(generation: generation) ?? false
    }

    /// What a coordinator that has taken over has of the run; handed out once.
    func takeMissingRecord() -> RecordPosition? {
        locked { state in
            defer { state.missingRecord = nil }
            return state.missingRecord
        }
    }

    /// Waits for the next generation, or the end, whichever coordinator announces it.
    func awaitNext(deadline: Deadline) throws -> WorkerSession.Next {
        while true {
            let session = try awaitSession(deadline)
            do {
                let next = try session.awaitNext(deadline: deadline)
                if case .assignment(let assignment) = next {
                    locked { state in
                        state.isExpelled = false
                        state.reports.enter(assignment)
                    }
                }
                return next
            } catch {
                try awaitLoss(of: session, error)
            }
        }
    }

    /// - Throws: `StateLost` when the coordinator is lost on the way; how the run ended.
    func awaitState(deadline: Deadline) throws -> [TransferredFile] {
        let session = try awaitSession(deadline)
        do {
            return try session.awaitState(deadline: deadline)
        } catch {
            try awaitLoss(of: session, error)
            throw StateLost()
        }
    }

    private func awaitSession(_ deadline: Deadline) throws(RendezvousError) -> WorkerSession {
        let answer: Result<WorkerSession, RendezvousError>? = wait(until: deadline) { state in
            if let session = state.session { return .success(session) }
            if let ending = state.ending { return .failure(ending) }
            return state.isClosed ? .failure(Self.overdue) : nil
        }
        return try (answer ?? .failure(Self.overdue)).get()
    }

    private static let overdue = RendezvousError(
        .timedOut, "waited too long for the coordinator")

    /// Returns once the loss behind a session's error has been noticed here too; throws all other
    /// errors.
    private func awaitLoss(of session: WorkerSession, _ error: RendezvousError)
        throws(RendezvousError)
    {
        guard error.isPassing, error.code != .timedOut else { throw error }
        let isNoticed: Void? = wait(until: .after(Self.answerTimeout)) { state in
            state.session !== session || state.ending != nil ? () : nil
        }
        if let ending = locked({ $0.ending }) { throw ending }
        if isNoticed == nil { throw error }
    }

    /// Waits until `take` gives a value; nil when the deadline passes first.
    @discardableResult
    private func wait<Value>(until deadline: Deadline, _ take: (State) -> Value?) -> Value? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value = take(state) { return value }
            if deadline.hasPassed { return nil }
            condition.wait(until: deadline)
        }
    }

    // MARK: - Sending

    func setProgress(step: Int, phase: String) {
        trail.record(phase, step: step)
        let (session, progress) = locked { state in
            state.progress.step = step
            state.progress.phase = phase
            return (state.session, state.progress)
        }
        session?.setProgress(progress)
    }

    /// This worker's speed and deal, as the next heartbeats show them.
    func setPace(secondsPerReplica: Double?, dealNumber: Int) {
        locked { state in
            state.progress.secondsPerReplica = secondsPerReplica
            state.progress.dealNumber = dealNumber
        }
    }

    /// Sends a message to the present coordinator.
    ///
    /// - Parameter kept: whether the message must arrive, so that it is sent again to a coordinator
    ///   that takes this one's place: `prepared`, `leaving`, `ready`, `halted` and `finished`.
    /// - Returns: false when there was no coordinator to take it.
    @discardableResult
    func send(_ message: WorkerMessage, kept: Bool = false) -> Bool {
        trail.record(message)
        let session: WorkerSession? = locked { state in
            if kept, !state.reports.keep(message) { return nil }
            return state.session
        }
        return session.map { deliver(message, to: $0) } ?? false
    }

    /// The loss of a session is noticed, and dealt with, elsewhere.
    @discardableResult
    private func deliver(_ message: WorkerMessage, to session: WorkerSession) -> Bool {
        do {
            try session.send(message)
            return true
        } catch {
            return false
        }
    }

    func sendFailure(exitCode: ExitCode, message: String) {
        locked { $0.session }?.sendFailure(exitCode: exitCode, message: message)
    }

    /// Uploads a checkpoint. One on the way is left out when there is no coordinator; the final one
    /// waits for it.
    /// - Throws: `Expelled` when the generation goes on without this worker; how the run ended.
    func sendCheckpoint(step: Int, isFinal: Bool, files: () throws -> [TransferredFile]) throws {
        let (isAway, patience) = locked { ($0.session == nil, $0.patience) }
        if isAway, !isFinal { return }
        let deadline = Deadline.after(patience + .seconds(600))
        while true {
            let session = try awaitSession(deadline)
            if locked({ $0.isExpelled }) { throw Expelled() }
            let files = try files()
            do {
                return try session.sendCheckpoint(step: step, isFinal: isFinal, files: files)
            } catch {
                try awaitLoss(of: session, error)
                if !isFinal { return }
            }
        }
    }
}

extension EventTrail {
    /// Entering and leaving a ring are worth remembering.
    fileprivate func record(_ message: WorkerMessage) {
        switch message {
        case .ready(let report):
            record("in the ring of generation \(report.generation)", step: report.step)
        case .halted(let report):
            let cause = report.cause.map { ": \($0)" } ?? ""
            record("left the ring of generation \(report.generation)\(cause)", step: report.step)
        default: break
        }
    }
}
