// Asks a running coordinator how the run goes: a single exchange with a deadline. The coordinator
// does not take the process that asks for a worker.

import Transport
import WireFormat

package enum StatusClient {
    /// - Throws: `unreachable` when nothing listens there, `timedOut` and `protocolViolation` when
    ///   something other than a coordinator of this version does, `refused`.
    package static func ask(
        _ coordinator: SocketAddress, token: String? = nil, links: any LinkFactory = .standard,
        deadline: Deadline
    ) throws(RendezvousError) -> StatusReport {
        let link: any Link
        do {
            link = try links.open(.connect(to: coordinator, until: deadline), as: .caller)
        } catch {
            throw RendezvousError(
                .unreachable, "no coordinator can be reached at \(coordinator): \(error)")
        }
        defer { link.close() }
        var channel = ControlChannel(link: link)
        do {
            try channel.enqueue(
                ControlFrame(.status(StatusRequest(token: token)) as WorkerMessage))
        } catch {
            throw RendezvousError(.protocolViolation, "cannot ask the coordinator: \(error)")
        }
        let frames: [ControlFrame]
        do {
            frames = try channel.exchange(until: deadline)
        } catch {
            throw RendezvousError(
                .protocolViolation,
                "what listens at \(coordinator) does not answer as a coordinator of this "
                    + "version does")
        }
        guard let first = frames.first else {
            throw RendezvousError(
                .timedOut, "what listens at \(coordinator) did not answer in time")
        }
        return try answer(in: first)
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
