// Asks a running coordinator how the run goes. A single exchange with a deadline; the coordinator
// takes whoever asks for no worker.

import Transport
import WireFormat

package enum StatusClient {
    /// - Throws: `unreachable` when nothing listens there, `timedOut` and `protocolViolation` when
    ///   something else does, `refused`.
    package static func ask(
        _ coordinator: SocketAddress, token: String? = nil, deadline: Deadline
    ) throws(RendezvousError) -> StatusReport {
        let connection: Connection
        do {
            connection = try Connection.connect(to: coordinator, until: deadline)
        } catch {
            throw RendezvousError(
                .unreachable, "no coordinator can be reached at \(coordinator): \(error)")
        }
        defer { connection.close() }
        var channel = ControlChannel(connection: connection)
        do {
            try channel.enqueue(
                ControlFrame(.status(StatusRequest(token: token)) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "cannot ask the coordinator: \(error)")
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
            if let first = frames.first { return try answer(in: first) }
            if ending != nil {
                throw RendezvousError(
                    .protocolViolation,
                    "what listens at \(coordinator) does not answer as a coordinator of this "
                        + "version does")
            }
            try wait(channel, until: deadline)
        }
    }

    private static func wait(
        _ channel: ControlChannel, until deadline: Deadline
    ) throws(RendezvousError) {
        var poller = Poller()
        poller.add(
            channel.connection.pollDescriptor, channel.wantsToSend ? [.read, .write] : .read)
        let readyCount: Int
        do {
            readyCount = try poller.wait(until: deadline)
        } catch {
            throw RendezvousError(.coordinatorLost, "lost the coordinator: \(error)")
        }
        if readyCount == 0 {
            throw RendezvousError(
                .timedOut,
                "what listens at \(channel.connection.remoteAddress) did not answer in time")
        }
    }

    private static func answer(in frame: ControlFrame) throws(RendezvousError) -> StatusReport {
        let message: CoordinatorMessage
        do {
            guard frame.kind == .message else { throw ControlMessageError("an unexpected blob") }
            message = try CoordinatorMessage(decoding: frame.payload)
        } catch {
            throw RendezvousError(
                .protocolViolation, "the coordinator's answer cannot be read: \(error)")
        }
        switch message {
        case .status(let report): return report
        case .refused(let refusal):
            throw RendezvousError(.refused(refusal.reason), refusal.message)
        default:
            throw RendezvousError(
                .protocolViolation, "the coordinator answered with '\(message.name)'")
        }
    }
}
