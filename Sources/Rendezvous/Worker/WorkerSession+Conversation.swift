// The session's thread: it alone sends and receives on the channel.

import Foundation
import Transport
import WireFormat

extension WorkerSession {
    /// Assignments and file sets that wait to be asked for; a sound coordinator sends no more.
    private static let unreadLimit = 16

    /// Starts the thread.
    ///
    /// - Parameter frames: what came right behind the welcome.
    func start(_ frames: [ControlFrame]) {
        // Between two rounds the thread does not hold the session, so that it ends with its owner.
        let thread = Thread { [weak self] in
            guard
                self?.round({ session throws(RendezvousError) in try session.take(frames) }) == true
            else { return }
            while self?.round({ session throws(RendezvousError) in try session.converse() }) == true
            {}
        }
        thread.name = "control"
        // Room for Foundation's JSON reader.
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// One round of the conversation; false when it is over, orderly or not.
    private func round(_ body: (WorkerSession) throws(RendezvousError) -> Void) -> Bool {
        var failure: RendezvousError?
        do throws(RendezvousError) {
            try body(self)
            if !locked({ $0.hasEnded || $0.closeRequested }) { return true }
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
        return false
    }

    /// Sends what is due, then waits for the next thing to happen and takes what has come.
    private func converse() throws(RendezvousError) {
        let now = ContinuousClock.now
        if now >= nextHeartbeat {
            // A queue that has not emptied is a sign of life by itself, as soon as it moves.
            if !channel.wantsToSend { try enqueueHeartbeat() }
            nextHeartbeat = now + description.heartbeatInterval
        }
        try sendQueued()

        let silenceEnd = lastHeard + description.heartbeatTimeout
        poller.removeAll()
        let wakeSlot = poller.add(wake.pollDescriptor, .read)
        let channelSlot = channel.add(to: &poller)
        do {
            try poller.wait(
                until: Deadline(channel.mayHoldMore ? .now : min(nextHeartbeat, silenceEnd)))
        } catch {
            throw RendezvousError(.coordinatorLost, "lost the coordinator: \(error)")
        }
        if poller.readiness(at: wakeSlot).contains(.read) { wake.drain() }
        if channel.mayHoldMore || !poller.readiness(at: channelSlot).isEmpty, try receive() {
            lastHeard = .now
        } else if ContinuousClock.now >= silenceEnd {
            // Judged only when nothing has come: a worker that was itself suspended finds the
            // coordinator's heartbeats waiting.
            throw RendezvousError(
                .coordinatorSilent,
                "no sign of life from the coordinator at \(channel.link.remoteAddress) for "
                    + "\(description.heartbeatTimeout / .seconds(1)) s")
        }
    }

    private func enqueueHeartbeat() throws(RendezvousError) {
        let progress = locked { $0.progress }
        do {
            try channel.enqueue(ControlFrame(.heartbeat(progress) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "\(error)")
        }
    }

    /// Moves queued frames into the channel as it has room, and the channel's bytes into the link.
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

    /// Takes what has come; false when nothing has.
    private func receive() throws(RendezvousError) -> Bool {
        var frames: [ControlFrame] = []
        var ending: ChannelError?
        var hasReceived = false
        do throws(ChannelError) {
            hasReceived = try channel.receive { frames.append($0) }
        } catch {
            ending = error
        }
        try take(frames)
        if let ending, !locked({ $0.hasEnded }) { throw .lost(ending) }
        return hasReceived
    }

    private func take(_ frames: [ControlFrame]) throws(RendezvousError) {
        defer { condition.broadcast() }
        for frame in frames {
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
        case .status: throw ControlMessageError("an answer to a question that was not asked")
        }
    }

    private func keep(_ append: (inout State) -> Int) throws(ControlMessageError) {
        if locked(append) > Self.unreadLimit { throw ControlMessageError("too much at once") }
    }
}
