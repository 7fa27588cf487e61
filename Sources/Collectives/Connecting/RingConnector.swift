// Opens a worker's two links: it calls the next rank and is called by the previous one, both in one
// loop on the caller's thread, so that no order of starting can lock the ring up.
//
// The listening port is open to every process that can reach it. A caller must show a handshake for
// this run, generation and rank; all others are turned away silently and without disturbing the
// ring. Strangers cost at most `candidateLimit` descriptors, 128 bytes each, and a few seconds
// before they are forgotten. The called worker answers with its own handshake, so the caller knows
// that it was taken. A worker that is turned away, or comes before the other is there, tries again
// until the deadline: the next rank may still be closing the generation before.

import Foundation
import Transport
import WireFormat

package enum RingConnector {
    /// Connections that may be in the middle of their handshake at once; a new one beyond that
    /// displaces the oldest, so that silent strangers cannot shut the door.
    package static let candidateLimit = 16
    /// How long a caller may take for its 128 bytes.
    package static let handshakeTimeout = Duration.seconds(5)

    /// The kernel's send buffer of a link within one host. Left alone it grows to megabytes and
    /// every byte passes through main memory; bounded, it stays in the cache. (2 workers on 2
    /// cores, median of an all-reduce: 4 MB 1.7 instead of 2.7 ms, 64 MB 33 instead of 42 ms.)
    /// Links between hosts keep the kernel's own choice, which follows the round-trip time.
    static let sendBufferByteCount = 512 << 10

    /// Builds the group of one generation.
    ///
    /// - Parameters:
    ///   - token: the run's secret, at most `FrameHandshake.tokenByteCountLimit` UTF-8 bytes.
    ///   - addresses: by rank; where each worker's `listener` can be reached.
    ///   - listener: opened before its address was announced; stays open and the caller's.
    ///   - timeout: the group's, for a call in which nothing moves.
    ///   - deadline: for the whole ring to stand.
    ///   - transport: equal on all workers.
    ///   - links: makes links of the connections to both neighbours.
    ///   - interrupt: ends the wait from another thread when signalled.
    /// - Throws: `notConnected` saying which neighbour was missing and why.
    package static func connect(
        rank: Int, generation: UInt32, token: String, deal: ReplicaDeal,
        addresses: [SocketAddress], listener: Listener, timeout: Duration, deadline: Deadline,
        segmentByteCount: Int = ProcessGroup.defaultSegmentByteCount,
        exchangeByteCount: Int = ProcessGroup.defaultExchangeByteCount,
        transport: LinkTransport = .auto, links: any LinkFactory = .standard,
        interrupt: WakeSignal? = nil, add: @escaping AddFunction
    ) throws(CollectiveError) -> ProcessGroup {
        precondition(0..<deal.worldSize ~= rank, "rank \(rank) of \(deal.worldSize)")
        var previous: (any IncomingLink)?
        var next: (any OutgoingLink)?
        if deal.worldSize > 1 {
            var context = RingIntroduction(
                rank: rank, generation: generation, token: token, deal: deal,
                segmentByteCount: segmentByteCount, transport: transport, links: links)
            guard addresses.count == deal.worldSize else {
                throw context.error(
                    "\(addresses.count) addresses for \(deal.worldSize) workers", neighbour: nil)
            }
            let caller = RingCaller(address: addresses[context.nextRank])
            let door = RingDoor(listener: listener)
            try wait(&context, caller, door, deadline: deadline, interrupt: interrupt)
            previous = door.accepted
            next = caller.established
        }
        return try ProcessGroup(
            rank: rank, generation: generation, deal: deal, previous: previous, next: next,
            timeout: timeout, segmentByteCount: segmentByteCount,
            exchangeByteCount: exchangeByteCount,
            // The machine's cores: this worker may be held to some of them.
            hasCores: workersHere(addresses, rank) <= ProcessInfo.processInfo.processorCount,
            add: add)
    }

    /// How many workers have this worker's address.
    private static func workersHere(_ addresses: [SocketAddress], _ rank: Int) -> Int {
        guard addresses.indices.contains(rank) else { return 1 }
        return addresses.count { $0.host == addresses[rank].host }
    }

    private static func wait(
        _ context: inout RingIntroduction, _ caller: RingCaller, _ door: RingDoor,
        deadline: Deadline, interrupt: WakeSignal?
    ) throws(CollectiveError) {
        var poller = Poller()
        while true {
            do {
                try caller.advance(context)
                try door.advance(context)
                if caller.established != nil, door.accepted != nil { return }
                poller.removeAll()
                let interruptSlot = interrupt.map { poller.add($0.pollDescriptor, .read) }
                caller.addInterests(to: &poller)
                door.addInterests(to: &poller)
                var limit = deadline
                for wish in [caller.nextTurn, door.nextTurn].compactMap({ $0 }) {
                    limit = .earliest(limit, wish)
                }
                try poller.wait(until: limit)
                if let interruptSlot, poller.readiness(at: interruptSlot).contains(.read) {
                    throw context.error(.shutDown, neighbour: nil)
                }
            } catch let error as CollectiveError {
                throw error
            } catch let error as TransportError {
                throw context.error(.transport(error), neighbour: nil)
            } catch {
                throw context.error("\(error)", neighbour: nil)
            }
            if deadline.hasPassed {
                throw caller.established == nil
                    ? context.error(caller.complaint(context), neighbour: context.nextRank)
                    : context.error(door.complaint(context), neighbour: context.previousRank)
            }
        }
    }
}
