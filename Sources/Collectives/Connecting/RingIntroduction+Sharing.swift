// Shared memory for a link, as a part of its handshake: the caller offers memory that it has made,
// the called worker looks for it. A failure of this does not fail the link, which then goes over
// TCP.

import Transport
import WireFormat

extension RingIntroduction {
    /// Memory to offer to the worker at the other end of a link. Only within a host, and as the
    /// kernel sees it: workers in network namespaces of their own have addresses of their own.
    ///
    /// - Throws: `notShared`, for a ring that must share.
    func offer(on link: any Link) throws(CollectiveError) -> SharedSegment? {
        switch transport {
        case .tcp: return nil
        case .auto: return link.isWithinHost ? try? SharedSegment() : nil
        case .shm:
            do throws(TransportError) {
                return try SharedSegment()
            } catch {
                throw self.error(.notShared("\(error)"), neighbour: nextRank)
            }
        }
    }

    /// The memory that a caller has offered, if it is wanted and found.
    func segment(offered sharing: FrameHandshake.Sharing) -> SharedSegment? {
        guard transport != .tcp,
            case .offered(let processID, let descriptor, let firstKey, let secondKey) = sharing
        else { return nil }
        return try? SharedSegment(
            at: SharedSegment.Location(
                processID: processID, descriptor: descriptor, firstKey: firstKey,
                secondKey: secondKey))
    }
}

extension FrameHandshake.Sharing {
    static func offered(_ location: SharedSegment.Location) -> Self {
        .offered(
            processID: location.processID, descriptor: location.descriptor,
            firstKey: location.firstKey,
            secondKey: location.secondKey)
    }
}
