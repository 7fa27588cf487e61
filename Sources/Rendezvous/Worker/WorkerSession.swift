// The thread and the shared state behind WorkerControlClient.
//
// One thread owns the channel: it alone receives and sends. Everything else is `State`, guarded by
// one condition; the training thread changes it and wakes the thread, the thread changes it and
// broadcasts. No lock is held while a handler runs or a system call waits.

import Foundation
import Transport
import WireFormat

/// What the client's thread and its callers share. Guarded by the session's condition.
struct WorkerSessionState {
    /// Frames from callers, on their way to the channel.
    var outgoing: [ControlFrame] = []
    var outgoingByteCount = 0
    /// True while frames that left `outgoing` have not been handed to the kernel.
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
}

/// Unchecked: `state` is only touched with `condition` locked; the rest is constant or belongs to
/// the thread that `start` makes.
final class WorkerSession: @unchecked Sendable {
    /// A caller waits while this much is queued: four blobs.
    private static let outgoingByteLimit = 1 << 20
    /// Assignments and file sets that wait to be asked for; a sound coordinator sends no more.
    private static let unreadLimit = 16

    private let condition = NSCondition()
    private var state = WorkerSessionState()
    private let wake: WakeSignal
    private let interval: Duration
    private let timeout: Duration

    // The thread's own.
    private var channel: ControlChannel
    private let earlyFrames: [ControlFrame]
    private var assembly: FileAssembly?

    init(
        channel: ControlChannel, earlyFrames: [ControlFrame], description: RunDescription,
        wake: WakeSignal
    ) {
        self.channel = channel
        self.earlyFrames = earlyFrames
        self.wake = wake
        interval = description.heartbeatInterval
        timeout = description.heartbeatTimeout
    }

    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "control"
        // Room for Foundation's JSON reader.
        thread.stackSize = 1 << 20
        thread.start()
    }

    // MARK: - Callers

    /// Waits until `take` gives a value; the values that came before a failure are given first.
    func wait<Value>(
        for what: String, until deadline: Deadline,
        _ take: (inout WorkerSessionState) -> Value?
    ) throws(RendezvousError) -> Value {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value = take(&state) { return value }
            try throwIfOver()
            guard !deadline.hasPassed else {
                throw RendezvousError(.timedOut, "waited too long for \(what)")
            }
            _ = condition.wait(until: Date(timeIntervalSinceNow: deadline.remaining / .seconds(1)))
        }
    }

    /// Queues a message.
    func send(_ message: WorkerMessage) throws(RendezvousError) {
        let frame: ControlFrame
        do {
            frame = try ControlFrame(message)
        } catch {
            throw RendezvousError(.protocolViolation, "\(error)")
        }
        try send(frame)
    }

    /// Queues a frame, waiting while the queue is full. The wait has no deadline of its own: it
    /// ends when the coordinator reads, is lost, or falls silent for the heartbeat timeout.
    func send(_ frame: ControlFrame) throws(RendezvousError) {
        condition.lock()
        defer { condition.unlock() }
        while true {
            try throwIfOver()
            guard state.outgoingByteCount >= Self.outgoingByteLimit else { break }
            condition.wait()
        }
        state.outgoing.append(frame)
        state.outgoingByteCount += frame.payload.count
        wake.signal()
    }

    /// Waits until everything queued has been handed to the kernel.
    func flush(until deadline: Deadline) throws(RendezvousError) {
        try wait(for: "the queue to empty", until: deadline) { state in
            state.outgoing.isEmpty && !state.channelIsSending ? () : nil
        }
    }

    var stopReason: String? { locked { $0.stopReason } }

    func setProgress(_ progress: WorkerHeartbeat) {
        locked { $0.progress = progress }
    }

    func onConnectionLost(_ handler: @escaping @Sendable (RendezvousError) -> Void) {
        let failure = locked { state in
            if state.failure == nil { state.lossHandlers.append(handler) }
            return state.failure
        }
        if let failure, failure.code != .closed { handler(failure) }
    }

    /// Whether the members of a generation have been asked to leave its ring after the step.
    func isPauseRequested(generation: UInt32) -> Bool {
        locked { $0.pausedGeneration >= generation }
    }

    func dealChange(generation: UInt32) -> DealChange? {
        locked { $0.dealChange.flatMap { $0.generation == generation ? $0 : nil } }
    }

    func onHalt(_ handler: @escaping @Sendable (UInt32) -> Void) {
        let generation = locked { state in
            state.haltHandler = handler
            return state.haltedGeneration
        }
        if generation > 0 { handler(generation) }
    }

    func close() {
        locked { $0.closeRequested = true }
        wake.signal()
    }

    private func locked<Value>(_ body: (inout WorkerSessionState) -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return body(&state)
    }

    private func throwIfOver() throws(RendezvousError) {
        if let failure = state.failure { throw failure }
        if state.hasEnded || state.closeRequested {
            throw RendezvousError(.closed, "the connection to the coordinator is closed")
        }
    }

    // MARK: - The thread

    private func run() {
        var failure: RendezvousError?
        do throws(RendezvousError) {
            for frame in earlyFrames { try take(frame) }
            try converse()
        } catch {
            failure = error
        }
        channel.link.close()
        let handlers = locked { state in
            state.failure =
                failure ?? RendezvousError(.closed, "the connection to the coordinator is closed")
            defer { state.lossHandlers = [] }
            return state.lossHandlers
        }
        condition.broadcast()
        if let failure {
            for handler in handlers { handler(failure) }
        }
    }

    /// Returns after an orderly end or `close`.
    private func converse() throws(RendezvousError) {
        var poller = Poller()
        var lastHeard = ContinuousClock.now
        var nextHeartbeat = lastHeard
        while true {
            let (isOver, heartbeat) = locked { ($0.hasEnded || $0.closeRequested, $0.progress) }
            if isOver { return }
            let now = ContinuousClock.now
            if now >= nextHeartbeat {
                // A queue that has not emptied shows life by itself, as soon as it moves.
                if !channel.wantsToSend { try enqueue(heartbeat) }
                nextHeartbeat = now + interval
            }
            try sendQueued()

            poller.removeAll()
            let wakeSlot = poller.add(wake.pollDescriptor, .read)
            let slot = channel.add(to: &poller)
            do {
                try poller.wait(until: Deadline(min(nextHeartbeat, lastHeard + timeout)))
            } catch {
                throw RendezvousError(.coordinatorLost, "lost the coordinator: \(error)")
            }
            if poller.readiness(at: wakeSlot).contains(.read) { wake.drain() }
            if poller.readiness(at: slot).isDisjoint(with: [.read, .hangUp, .error]) {
                // Judged only when nothing has come: a worker that was itself suspended finds the
                // coordinator's heartbeats waiting.
                if ContinuousClock.now >= lastHeard + timeout { throw silent() }
            } else {
                lastHeard = ContinuousClock.now
                try receive()
            }
        }
    }

    private func silent() -> RendezvousError {
        RendezvousError(
            .coordinatorSilent,
            "no sign of life from the coordinator at \(channel.link.remoteAddress) for "
                + "\(timeout / .seconds(1)) s")
    }

    private func enqueue(_ heartbeat: WorkerHeartbeat) throws(RendezvousError) {
        do {
            try channel.enqueue(ControlFrame(.heartbeat(heartbeat) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "\(error)")
        }
    }

    /// Moves queued frames into the channel as it has room, and the channel's bytes to the kernel.
    private func sendQueued() throws(RendezvousError) {
        do throws(ChannelError) {
            while true {
                if channel.queuedByteCount < Self.outgoingByteLimit {
                    let frames = locked { state in
                        defer {
                            state.outgoing = []
                            state.outgoingByteCount = 0
                        }
                        state.channelIsSending = true
                        return state.outgoing
                    }
                    for frame in frames { try channel.enqueue(frame) }
                }
                try channel.send()
                let hasMore = locked { state in
                    state.channelIsSending = channel.wantsToSend
                    return !state.outgoing.isEmpty
                }
                condition.broadcast()
                if channel.wantsToSend || !hasMore { return }
            }
        } catch {
            throw .lost(error)
        }
    }

    private func receive() throws(RendezvousError) {
        var frames: [ControlFrame] = []
        var ending: ChannelError?
        do throws(ChannelError) {
            try channel.receive { frames.append($0) }
        } catch {
            ending = error
        }
        for frame in frames { try take(frame) }
        condition.broadcast()
        if let ending, !locked({ $0.hasEnded }) { throw .lost(ending) }
    }

    private func take(_ frame: ControlFrame) throws(RendezvousError) {
        do {
            switch frame.kind {
            case .blob:
                guard assembly != nil else { throw ControlMessageError("an unexpected blob") }
                try assembly?.append(frame.payload)
            case .message:
                try take(try CoordinatorMessage(decoding: frame.payload))
            }
        } catch let error as RendezvousError {
            throw error
        } catch {
            throw RendezvousError(
                .protocolViolation, "cannot understand the coordinator: \(error)")
        }
    }

    private func take(_ message: CoordinatorMessage) throws {
        switch message {
        case .assignment(let assignment):
            try keep { state in
                state.assignments.append(assignment)
                return state.assignments.count
            }
        case .checkpointBegin(let header):
            guard assembly == nil else { throw ControlMessageError("a transfer in a transfer") }
            assembly = FileAssembly(header: header)
        case .checkpointEnd(let trailer):
            guard let files = try assembly?.finish(trailer) else {
                throw ControlMessageError("the end of a transfer that did not begin")
            }
            assembly = nil
            try keep { state in
                state.receivedFiles.append(files)
                return state.receivedFiles.count
            }
        case .heartbeat: break
        case .halt(let request):
            let handler = locked { state in
                state.haltedGeneration = max(state.haltedGeneration, request.generation)
                return state.haltHandler
            }
            handler?(request.generation)
        case .redeal(let change): locked { $0.dealChange = change }
        case .pause(let request):
            locked { $0.pausedGeneration = max($0.pausedGeneration, request.generation) }
        case .stop(let request): locked { $0.stopReason = $0.stopReason ?? request.reason }
        case .end: locked { $0.hasEnded = true }
        case .abort(let report):
            throw RendezvousError(.aborted(exitCode: report.exitCode), report.message)
        case .restart(let restart): throw RendezvousError.restart(restart)
        case .refused(let refusal):
            throw RendezvousError(.refused(refusal.reason), refusal.message)
        case .welcome: throw ControlMessageError("a second welcome")
        case .status: throw ControlMessageError("an answer that nobody asked for")
        }
    }

    private func keep(_ append: (inout WorkerSessionState) -> Int) throws(ControlMessageError) {
        if locked(append) > Self.unreadLimit { throw ControlMessageError("too much at once") }
    }
}
