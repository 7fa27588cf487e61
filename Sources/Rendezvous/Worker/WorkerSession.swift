// A worker's conversation with one coordinator. `join` introduces the worker and returns once it is
// a member; from then on a thread of the session's own receives, sends what is queued and shows a
// sign of life in every heartbeat interval, so that the training thread may compute for as long as
// it likes.
//
// That thread alone uses the channel (WorkerSession+Conversation). All else is `State`, guarded by
// one condition: callers change it and wake the thread, the thread changes it and broadcasts. No
// lock is held while a handler runs or a system call waits. A caller waits only where it asks for
// something (`awaitNext`, `awaitState`) and where the queue is full (a checkpoint that is larger
// than the queue).

import ExitCodes
import Foundation
import Transport
import WireFormat

/// One worker's side of the control plane, from joining to the end of the connection. All methods
/// may be called from any thread. A session that is let go of closes within a heartbeat interval.
///
/// Unchecked: `state` is only touched with `condition` locked; the rest is constant or belongs to
/// the session's thread.
package final class WorkerSession: @unchecked Sendable {
    /// A caller waits while this much is queued: four blobs.
    static let outgoingByteLimit = 1 << 20

    /// What the run is about, from the welcome.
    package let description: RunDescription
    let condition = NSCondition()
    let wake: WakeSignal
    private var state = State()

    // The thread's own.
    var channel: ControlChannel
    var assembly: FileAssembly?
    var poller = Poller()
    var lastHeard = ContinuousClock.now
    var nextHeartbeat = ContinuousClock.now

    /// What the session's thread and its callers share. Guarded by the session's condition.
    struct State {
        /// Frames from callers, on their way to the channel.
        var outgoing: [ControlFrame] = []
        var outgoingByteCount = 0
        /// True while frames that left `outgoing` have not been handed to the link.
        var channelIsSending = false
        var assignments: [Assignment] = []
        var receivedFiles: [[TransferredFile]] = []
        var stopReason: String?
        /// The last generation whose ring is to be left at once, and after the step; 0 for none.
        var haltedGeneration: UInt32 = 0
        var pausedGeneration: UInt32 = 0
        /// The last change of the deal.
        var dealChange: DealChange?
        var haltHandler: (@Sendable (UInt32) -> Void)?
        var progress = WorkerHeartbeat(step: 0, phase: "joining")
        var hasEnded = false
        var closeRequested = false
        /// The first failure; every later call throws it.
        var failure: RendezvousError?
        var lossHandlers: [@Sendable (RendezvousError) -> Void] = []

        /// - Throws: why there is nothing more to say or to wait for.
        func checkIsOpen() throws(RendezvousError) {
            if let failure { throw failure }
            if hasEnded || closeRequested {
                throw RendezvousError(.closed, "the connection to the coordinator is closed")
            }
        }
    }

    init(channel: ControlChannel, description: RunDescription, wake: WakeSignal) {
        self.channel = channel
        self.description = description
        self.wake = wake
    }

    deinit { channel.link.close() }

    /// Ends the connection without a message; the coordinator takes this worker for lost unless the
    /// run has ended.
    package func close() {
        locked { $0.closeRequested = true }
        wake.signal()
    }

    func locked<Value>(_ body: (inout State) -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return body(&state)
    }

    // MARK: - What the coordinator asks for

    /// Why the run is to stop after the current step, nil while it is not.
    package var stopReason: String? { locked { $0.stopReason } }

    /// Whether the members of a generation have been asked to leave its ring after the step.
    package func isPauseRequested(generation: UInt32) -> Bool {
        locked { $0.pausedGeneration >= generation }
    }

    /// The last change of a generation's deal; nil when there has been none.
    package func dealChange(generation: UInt32) -> DealChange? {
        locked { $0.dealChange.flatMap { $0.generation == generation ? $0 : nil } }
    }

    /// Calls `handler`, from the session's thread, with the number of a generation whose ring is to
    /// be left at once; at once when that has been asked already. There is one handler.
    package func onHalt(_ handler: @escaping @Sendable (_ generation: UInt32) -> Void) {
        let generation = locked { state in
            state.haltHandler = handler
            return state.haltedGeneration
        }
        if generation > 0 { handler(generation) }
    }

    /// Calls `handler` once, from the session's thread, when the coordinator is lost or aborts the
    /// run; at once when that has happened already. Never after an orderly end or `close`.
    package func onConnectionLost(_ handler: @escaping @Sendable (RendezvousError) -> Void) {
        let failure = locked { state in
            if state.failure == nil { state.lossHandlers.append(handler) }
            return state.failure
        }
        if let failure, failure.code != .closed { handler(failure) }
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
        try wait(for: "an assignment", until: deadline) { state in
            // Of several the last counts: the generations before it are over.
            if let last = state.assignments.last {
                state.assignments = []
                return .assignment(last)
            }
            return state.hasEnded ? .end : nil
        }
    }

    /// Waits for the files to resume from; only after an assignment with `stateFollows`, at the
    /// root.
    package func awaitState(deadline: Deadline) throws(RendezvousError) -> [TransferredFile] {
        try wait(for: "the state to resume from", until: deadline) { state in
            state.receivedFiles.isEmpty ? nil : state.receivedFiles.removeFirst()
        }
    }

    /// Waits until `take` gives a value; values that came before a failure are given first.
    private func wait<Value>(
        for what: String, until deadline: Deadline, _ take: (inout State) -> Value?
    ) throws(RendezvousError) -> Value {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value = take(&state) { return value }
            try state.checkIsOpen()
            guard !deadline.hasPassed else {
                throw RendezvousError(.timedOut, "waited too long for \(what)")
            }
            condition.wait(until: deadline)
        }
    }

    // MARK: - Sending

    /// The step and the phase that heartbeats show from now on.
    package func setProgress(_ progress: WorkerHeartbeat) {
        locked { $0.progress = progress }
    }

    /// Queues a message. A list of steps that is too long for one message becomes several.
    package func send(_ message: WorkerMessage) throws(RendezvousError) {
        if case .steps(let list) = message, list.reports.count > StepReports.countLimit {
            for start in stride(from: 0, to: list.reports.count, by: StepReports.countLimit) {
                let part = list.reports[start...].prefix(StepReports.countLimit)
                try send(.steps(StepReports(reports: Array(part))))
            }
            return
        }
        let frame: ControlFrame
        do {
            frame = try ControlFrame(message)
        } catch {
            throw RendezvousError(.protocolViolation, "\(error)")
        }
        try queue(frame)
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
            case .begin(let header): try send(.checkpointBegin(header))
            case .blob(let bytes): try queue(ControlFrame(kind: .blob, payload: bytes))
            case .end(let trailer): try send(.checkpointEnd(trailer))
            }
        }
    }

    /// Reports a failure and waits until the report is on its way, two seconds at most. Never
    /// throws: the worker is about to end anyway.
    package func sendFailure(exitCode: ExitCode, message: String) {
        do {
            try send(.failed(FailureReport(exitCode: exitCode, message: message)))
            try wait(for: "the queue to empty", until: .after(.seconds(2))) { state in
                state.outgoing.isEmpty && !state.channelIsSending ? () : nil
            }
        } catch {
            // The coordinator is gone; it has noticed this worker's end by itself.
        }
    }

    /// Queues a frame, waiting while the queue is full. The wait has no deadline of its own: it
    /// ends when the coordinator reads, is lost, or falls silent for the heartbeat timeout.
    private func queue(_ frame: ControlFrame) throws(RendezvousError) {
        condition.lock()
        defer { condition.unlock() }
        while true {
            try state.checkIsOpen()
            guard state.outgoingByteCount >= Self.outgoingByteLimit else { break }
            condition.wait()
        }
        state.outgoing.append(frame)
        state.outgoingByteCount += frame.payload.count
        wake.signal()
    }
}

extension NSCondition {
    /// Waits for a signal until the deadline; false once it has passed. The caller holds the lock.
    @discardableResult
    package func wait(until deadline: Deadline) -> Bool {
        wait(until: Date(timeIntervalSinceNow: deadline.remaining / .seconds(1)))
    }
}
