// The first exchange of a worker with the coordinator: hello out, one answer in. It runs on the
// joining thread with a deadline, before the client's own thread exists.

import Transport
import WireFormat

/// Hello and its answer.
struct WorkerHandshake {
    private(set) var channel: ControlChannel
    /// Frames that came right behind the welcome, for the session to read first.
    private(set) var laterFrames: [ControlFrame] = []

    init(connection: Connection) {
        channel = ControlChannel(link: connection)
    }

    mutating func perform(
        hello: WorkerHello, deadline: Deadline
    ) throws(RendezvousError) -> RunDescription {
        do {
            try channel.enqueue(ControlFrame(.hello(hello) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "cannot introduce this worker: \(error)")
        }
        while true {
            var frames: [ControlFrame] = []
            var ending: ChannelError?
            do throws(ChannelError) {
                try channel.send()
                try channel.receive { frames.append($0) }
            } catch {
                ending = error
            }
            if let first = frames.first {
                laterFrames = Array(frames.dropFirst())
                return try answer(in: first)
            }
            if let ending { throw .lost(ending) }
            try wait(until: deadline)
        }
    }

    private func wait(until deadline: Deadline) throws(RendezvousError) {
        var poller = Poller()
        _ = channel.add(to: &poller)
        let readyCount: Int
        do {
            readyCount = try poller.wait(until: deadline)
        } catch {
            throw RendezvousError(.coordinatorLost, "lost the coordinator: \(error)")
        }
        if readyCount == 0 {
            throw RendezvousError(
                .timedOut,
                "the coordinator at \(channel.link.remoteAddress) did not answer in time; "
                    + "is something else listening on that port?")
        }
    }

    private func answer(in frame: ControlFrame) throws(RendezvousError) -> RunDescription {
        let message: CoordinatorMessage
        do {
            guard frame.kind == .message else { throw ControlMessageError("an unexpected blob") }
            message = try CoordinatorMessage(decoding: frame.payload)
        } catch {
            throw RendezvousError(
                .protocolViolation, "the coordinator's answer cannot be read: \(error)")
        }
        switch message {
        case .welcome(let description):
            return description
        case .refused(let refusal):
            throw RendezvousError(
                .refused(refusal.reason), "the coordinator refused this worker: \(refusal.message)")
        case .restart(let restart):
            throw .restart(restart)
        case .abort(let report):
            throw RendezvousError(.aborted(exitCode: report.exitCode), report.message)
        default:
            throw RendezvousError(
                .protocolViolation, "the coordinator answered with '\(message.name)'")
        }
    }
}

extension RendezvousError {
    /// The channel's end in a worker's words.
    static func lost(_ error: ChannelError) -> RendezvousError {
        switch error {
        case .closed:
            RendezvousError(.coordinatorLost, "the coordinator closed the connection")
        case .transport(let words):
            RendezvousError(.coordinatorLost, "lost the coordinator: \(words)")
        case .notProtocol(let words):
            RendezvousError(.protocolViolation, "cannot understand the coordinator: \(words)")
        case .queueFull(let byteLimit):
            RendezvousError(
                .coordinatorLost, "the coordinator does not read: \(byteLimit) bytes are waiting")
        }
    }

    static func restart(_ restart: ArithmeticRestart) -> RendezvousError {
        RendezvousError(
            .restart(arithmetic: restart.arithmetic),
            "the run's arithmetic is \(restart.arithmetic); this worker must start anew with it")
    }
}
