// A worker's side of the control plane. `join` introduces the worker and returns once it is a
// member; from then on a thread of the client's own receives, sends what is queued and shows a
// sign of life in every heartbeat interval, so that the training thread may compute for as long
// as it likes.
//
// The training thread only queues; it waits only where it asks for something (`await...`) or
// where the queue is full (a checkpoint that is larger than the queue). The loss of the
// coordinator and its abort are told at once to the handler given to `onConnectionLost`, from the
// client's thread: the worker uses it to shut down a ring in which the training thread may be
// blocked.

import ExitCodes
import Foundation
import Transport
import WireFormat

/// The conversation of one worker with the coordinator. All methods may be called from any thread.
/// The client must be held as long as the worker takes part: letting go of it closes the connection.
package final class WorkerControlClient: Sendable {
    /// What the run is about, as told in the welcome.
    package let description: RunDescription
    private let session: WorkerSession

    private init(description: RunDescription, session: WorkerSession) {
        self.description = description
        self.session = session
    }

    deinit { session.close() }

    /// The pause between two attempts to connect.
    private static let retryPause = Duration.milliseconds(200)

    /// Connects, introduces the worker and waits for the answer. A coordinator that cannot be
    /// reached yet is tried again until the deadline: whoever starts both need not mind the order.
    ///
    /// - Parameter onWaiting: called once, when the first attempt has failed.
    /// - Throws: `unreachable`, `refused` with the coordinator's reason, `restart` when the worker
    ///   must start itself anew with another arithmetic, `coordinatorLost`, `timedOut`.
    package static func join(
        coordinator: SocketAddress, hello: WorkerHello, deadline: Deadline,
        onWaiting: () -> Void = {}
    ) throws(RendezvousError) -> WorkerControlClient {
        let connection: Connection
        do {
            connection = try connect(to: coordinator, deadline: deadline, onWaiting: onWaiting)
        } catch {
            throw RendezvousError(
                .unreachable, "cannot reach the coordinator at \(coordinator): \(error)")
        }
        var handshake = WorkerHandshake(connection: connection)
        let description: RunDescription
        do {
            description = try handshake.perform(hello: hello, deadline: deadline)
        } catch {
            connection.close()
            throw error
        }
        let wake: WakeSignal
        do {
            wake = try WakeSignal()
        } catch {
            connection.close()
            throw RendezvousError(.unreachable, "cannot set up the control connection: \(error)")
        }
        let session = WorkerSession(
            channel: handshake.channel, earlyFrames: handshake.laterFrames,
            description: description, wake: wake)
        session.start()
        return WorkerControlClient(description: description, session: session)
    }

    private static func connect(
        to coordinator: SocketAddress, deadline: Deadline, onWaiting: () -> Void
    ) throws(TransportError) -> Connection {
        var isFirst = true
        while true {
            do throws(TransportError) {
                return try Connection.connect(to: coordinator, until: deadline)
            } catch {
                let isPassing = error.code == .refused || error.code == .unreachable
                guard isPassing, !deadline.hasPassed else { throw error }
            }
            if isFirst { onWaiting() }
            isFirst = false
            // The network tells nobody that a listener has appeared: there is only asking again.
            var pause = Poller()
            try pause.wait(until: .earliest(deadline, .after(retryPause)))
        }
    }

    // MARK: - Waiting

    /// What a worker without a ring waits for.
    package enum Next: Sendable {
        /// A generation is open with this worker in it.
        case assignment(Assignment)
        /// The run, or this worker's part in it, is over and went well.
        case end
    }

    /// Waits until a generation is open with this worker in it, or nothing is left to do.
    package func awaitNext(deadline: Deadline) throws(RendezvousError) -> Next {
        try session.wait(for: "an assignment", until: deadline) { state in
            // Of several the last counts: the generations before it are over.
            if let last = state.assignments.last {
                state.assignments = []
                return .assignment(last)
            }
            return state.hasEnded ? .end : nil
        }
    }

    /// Waits for the files to resume from; only after an assignment with `stateFollows`, at the root.
    package func awaitState(deadline: Deadline) throws(RendezvousError) -> [TransferredFile] {
        try session.wait(for: "the state to resume from", until: deadline) { state in
            state.receivedFiles.isEmpty ? nil : state.receivedFiles.removeFirst()
        }
    }

    /// True once the coordinator has asked to stop after the current step.
    package var stopRequested: Bool { stopReason != nil }

    /// Why the run is to stop, nil while it is not.
    package var stopReason: String? { session.stopReason }

    /// True once the members of a generation have been asked to leave its ring after the step.
    package func isPauseRequested(generation: UInt32) -> Bool {
        session.isPauseRequested(generation: generation)
    }

    /// The last change of a generation's deal; nil when there has been none.
    package func dealChange(generation: UInt32) -> DealChange? {
        session.dealChange(generation: generation)
    }

    /// Calls `handler`, from the client's thread, with the number of a generation whose ring is to be
    /// left at once; at once when that has been asked already. There is one handler.
    package func onHalt(_ handler: @escaping @Sendable (_ generation: UInt32) -> Void) {
        session.onHalt(handler)
    }

    /// Waits until the coordinator asks to stop; answers with the reason.
    package func awaitStop(deadline: Deadline) throws(RendezvousError) -> String {
        try session.wait(for: "a request to stop", until: deadline) { $0.stopReason }
    }

    /// Calls `handler` once, from the client's thread, when the coordinator is lost or aborts the
    /// run; at once when that has happened already. Never after an orderly end or `close`.
    package func onConnectionLost(_ handler: @escaping @Sendable (RendezvousError) -> Void) {
        session.onConnectionLost(handler)
    }

    /// Waits until the coordinator is lost or aborts the run; nil if it does neither before the
    /// deadline.
    package func awaitLoss(deadline: Deadline) -> RendezvousError? {
        do {
            return try session.wait(for: "the end of the run", until: deadline) { $0.failure }
        } catch {
            return nil
        }
    }

    // MARK: - Telling

    /// The step and the phase that heartbeats tell from now on.
    package func setProgress(_ progress: WorkerHeartbeat) {
        session.setProgress(progress)
    }

    /// The data is read and the model built.
    package func sendPrepared() throws(RendezvousError) {
        try session.send(.prepared)
    }

    /// This worker has left its ring.
    package func sendHalted(_ report: HaltReport) throws(RendezvousError) {
        try session.send(.halted(report))
    }

    /// This worker wants to be left out of the next generation.
    package func sendLeaving(reason: String) throws(RendezvousError) {
        try session.send(.leaving(LeaveRequest(reason: reason)))
    }

    package func sendReady(_ report: ReadyReport) throws(RendezvousError) {
        try session.send(.ready(report))
    }

    /// Queues the reports in messages of bounded length. By rank 0 only.
    package func sendSteps(_ reports: [StepReport]) throws(RendezvousError) {
        var start = 0
        while start < reports.count {
            let end = min(reports.count, start + StepReports.countLimit)
            try session.send(.steps(StepReports(reports: Array(reports[start..<end]))))
            start = end
        }
    }

    /// By rank 0 only.
    package func sendEvaluation(_ report: EvaluationReport) throws(RendezvousError) {
        try session.send(.evaluation(report))
    }

    /// Uploads a checkpoint; waits while the queue is full, as long as the coordinator lives.
    /// By rank 0 only.
    package func sendCheckpoint(
        step: Int, isFinal: Bool, files: [TransferredFile]
    ) throws(RendezvousError) {
        var transfer: FileTransfer
        do {
            transfer = try FileTransfer(step: step, isFinal: isFinal, files: files)
        } catch {
            throw RendezvousError(.protocolViolation, "cannot send the checkpoint: \(error)")
        }
        while let piece = transfer.next() {
            switch piece {
            case .begin(let header): try session.send(.checkpointBegin(header))
            case .blob(let bytes): try session.send(ControlFrame(kind: .blob, payload: bytes))
            case .end(let trailer): try session.send(.checkpointEnd(trailer))
            }
        }
    }

    package func sendFinished(_ report: FinishedReport) throws(RendezvousError) {
        try session.send(.finished(report))
    }

    /// Reports the failure and waits until it is on its way, two seconds at most. Never throws:
    /// whoever calls this is on the way out already.
    package func sendFailed(exitCode: ExitCode, message: String) {
        let report = FailureReport(exitCode: exitCode, message: message)
        do {
            try session.send(.failed(report))
            try session.flush(until: .after(.seconds(2)))
        } catch {
            // The coordinator is gone; it has noticed this worker's end by itself.
        }
    }

    /// Leaves without a word; the coordinator takes this worker for lost unless the run has ended.
    package func close() {
        session.close()
    }
}
