// One connection to the coordinator, from its acceptance to its end: first a stranger, then
// either a member or one that has been turned away and may read why.

import Foundation
import Transport
import WireFormat

/// The coordinator's side of one connection. Used by the coordinator's thread.
final class CoordinatorPeer {
    enum Standing: Equatable {
        /// Has not introduced itself; dropped at the deadline.
        case stranger(until: ContinuousClock.Instant)
        /// Has introduced itself; the membership decides what it is.
        case member
        /// Has been turned away: what it still sends is read and ignored until it closes.
        case leaving(until: ContinuousClock.Instant)
    }

    var channel: ControlChannel
    var standing: Standing
    /// Set by the hello.
    var dataPort: Int?
    /// A checkpoint on its way up.
    var assembly: FileAssembly?
    /// The resume state on its way down; refilled as the queue empties.
    var download: FileTransfer?

    init(link: any Link, standing: Standing) {
        channel = ControlChannel(link: link)
        self.standing = standing
    }

    var deadline: ContinuousClock.Instant? {
        switch standing {
        case .stranger(let until), .leaving(let until): until
        case .member: nil
        }
    }

    var endpoint: WorkerEndpoint? {
        dataPort.map {
            WorkerEndpoint(
                remoteAddress: channel.link.remoteAddress,
                localAddress: channel.link.localAddress, dataPort: $0)
        }
    }

    func enqueue(_ message: CoordinatorMessage) throws(ChannelError) {
        let frame: ControlFrame
        do {
            frame = try ControlFrame(message)
        } catch {
            throw .notProtocol("\(error)")
        }
        try channel.enqueue(frame)
    }

    /// Moves bytes into the link, and pieces of the download into the queue while it is short.
    func send() throws(ChannelError) {
        while true {
            try channel.send()
            guard !channel.wantsToSend, let piece = download?.next() else { return }
            switch piece {
            case .begin(let header): try enqueue(.checkpointBegin(header))
            case .blob(let bytes): try channel.enqueue(ControlFrame(kind: .blob, payload: bytes))
            case .end(let trailer):
                try enqueue(.checkpointEnd(trailer))
                download = nil
            }
        }
    }
}
