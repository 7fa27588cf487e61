// The beginning of a session: connect, hello out, one answer in. All on the caller's thread, with a
// deadline, before the session's own thread exists.

import Foundation
import Transport
import WireFormat

extension WorkerSession {
    /// The pause between two attempts to connect.
    private static let retryPause = Duration.milliseconds(200)

    /// Connects, introduces the worker and waits for the answer. A coordinator that cannot be
    /// reached yet is tried again until the deadline, so that it may be started after its workers.
    ///
    /// - Parameter onWaiting: called once, when the first attempt has failed.
    /// - Throws: `unreachable`, `refused` with the coordinator's reason, `restart` when the worker
    ///   must start itself anew with another arithmetic, `coordinatorLost`, `timedOut`.
    package static func join(
        coordinator: SocketAddress, hello: WorkerHello, links: any LinkFactory = .standard,
        deadline: Deadline, onWaiting: () -> Void = {}
    ) throws(RendezvousError) -> WorkerSession {
        let link: any Link
        let wake: WakeSignal
        do {
            wake = try WakeSignal()
            let connection = try connect(to: coordinator, deadline: deadline, onWaiting: onWaiting)
            link = try links.open(connection, as: .caller)
        } catch {
            throw RendezvousError(
                .unreachable, "cannot reach the coordinator at \(coordinator): \(error)")
        }
        var channel = ControlChannel(link: link)
        do {
            let frames = try introduce(hello, on: &channel, deadline: deadline)
            let session = WorkerSession(
                channel: channel, description: try description(in: frames[0]), wake: wake)
            session.start(Array(frames.dropFirst()))
            return session
        } catch {
            link.close()
            throw error
        }
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
            // The network does not announce a listener that has appeared: it has to be tried again.
            var pause = Poller()
            try pause.wait(until: .earliest(deadline, .after(retryPause)))
        }
    }

    /// Sends the hello.
    ///
    /// - Returns: the answer, and frames that came right behind it.
    private static func introduce(
        _ hello: WorkerHello, on channel: inout ControlChannel, deadline: Deadline
    ) throws(RendezvousError) -> [ControlFrame] {
        do {
            try channel.enqueue(ControlFrame(.hello(hello) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "cannot introduce this worker: \(error)")
        }
        let frames: [ControlFrame]
        do {
            frames = try channel.exchange(until: deadline)
        } catch {
            throw .lost(error)
        }
        guard !frames.isEmpty else {
            throw RendezvousError(
                .timedOut,
                "the coordinator at \(channel.link.remoteAddress) did not answer in time; "
                    + "is something else listening on that port?")
        }
        return frames
    }

    private static func description(in frame: ControlFrame) throws(RendezvousError)
        -> RunDescription
    {
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
    /// The end of a channel, as a worker reports it.
    static func lost(_ error: ChannelError) -> RendezvousError {
        switch error {
        case .closed:
            RendezvousError(.coordinatorLost, "the coordinator closed the connection")
        case .transport(let reason):
            RendezvousError(.coordinatorLost, "lost the coordinator: \(reason)")
        case .notProtocol(let reason):
            RendezvousError(.protocolViolation, "cannot understand the coordinator: \(reason)")
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
