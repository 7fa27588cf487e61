// The order-invariant ring all-reduce as plain data.
//
// R replicas are dealt to N workers in contiguous ranges, in ring order. A buffer is cut into R
// chunks (by R, not by N). Chunk c is summed in the cyclic replica order c+1, ..., R-1, 0, ..., c,
// one addition after another, whatever N is and wherever the ranges end: so the bits of the result
// depend on the replicas alone.
//
// Replicas lie on the ring in order, so a partial sum visits each worker once and goes forward
// only. Its path starts at the owner of replica c+1 and ends at the owner of replica c. When these
// are one worker (c is not the last replica of its range), the partial sum makes a full round and
// that worker adds twice: c+1... at the start and ...c at the end. The finished chunk then goes on
// round the ring until every worker has it. A path is therefore one unbroken walk; its hops are
// numbered from 1:
//
//     R = 4, N = 2, replicas {0, 1} on worker 0 and {2, 3} on worker 1
//
//     chunk 3:  w0 [0+1]         -1->  w1 [+2+3]  -2->  w0                    (2 hops)
//     chunk 0:  w0 [1]           -1->  w1 [+2+3]  -2->  w0 [+0]  -3->  w1     (3 hops)
//     chunk 1:  w1 [2+3]         -1->  w0 [+0+1]  -2->  w1                    (2 hops)
//     chunk 2:  w1 [3]           -1->  w0 [+0+1]  -2->  w1 [+2]  -3->  w0     (3 hops)
//
// On each link transfers are ordered by (hop, chunk). Both ends compute the same list, so a frame
// needs no negotiation, and there is no deadlock: hop h waits for hop h-1 only, and hop 1 for
// nothing.
//
// Bytes: chunk c crosses N links (N-1 when c is the last of its range) while it is summed and N-1
// while it is spread; over all chunks that is S x [(R-1)/R + (N-1)/N] per link on average, and on
// every link when the ranges are equal. With R = N this is the classic ring.

import WireFormat

/// One worker's part of a collective: what it sends and receives, each in the order of its link.
package struct RingSchedule: Hashable, Sendable {
    /// Where the bytes of a transfer come from.
    package enum Source: Hashable, Sendable {
        /// The sum of these of the worker's replicas (0 is its first), in ascending order.
        case replicas(Range<Int>)
        /// The output, which already holds them.
        case stored
        /// The output, once the receive with this index has put them there.
        case received(Int)
    }

    package struct Send: Hashable, Sendable {
        package let hop: Int
        package let chunk: Int
        package let phase: FrameHeader.Phase
        package let source: Source
    }

    package struct Receive: Hashable, Sendable {
        package let hop: Int
        package let chunk: Int
        package let phase: FrameHeader.Phase
        /// The worker's replicas to add, in ascending order; empty when the chunk is finished.
        package let addends: Range<Int>
    }

    package let sends: [Send]
    package let receives: [Receive]
}

/// The schedule of an all-reduce for every rank of a deal.
package struct RingPlan: Hashable, Sendable {
    package let deal: ReplicaDeal

    package init(deal: ReplicaDeal) {
        self.deal = deal
    }

    /// The elements of chunk `chunk`: the first `elementCount % chunkCount` chunks have one more.
    package static func elements(
        ofChunk chunk: Int, elementCount: Int, chunkCount: Int
    ) -> Range<Int> {
        let (share, remainder) = elementCount.quotientAndRemainder(dividingBy: chunkCount)
        let first = chunk * share + min(chunk, remainder)
        return first..<first + share + (chunk < remainder ? 1 : 0)
    }

    /// What `rank` sends and receives. Empty for a single worker, which only adds.
    package func schedule(of rank: Int) -> RingSchedule {
        let worldSize = deal.worldSize
        guard worldSize > 1 else { return RingSchedule(sends: [], receives: []) }
        let replicaCount = deal.replicaCount
        let local = deal.ranges[rank]
        var sends: [RingSchedule.Send] = []
        var receives: [RingSchedule.Receive] = []
        for (owner, range) in deal.ranges.enumerated() {
            for chunk in range {
                let first = (chunk + 1) % replicaCount
                let isLastOfRange = chunk + 1 == range.upperBound
                let start = isLastOfRange ? (owner + 1) % worldSize : owner
                let reduceHops = isLastOfRange ? worldSize - 1 : worldSize
                for hop in 1..<reduceHops + worldSize {
                    let sender = (start + hop - 1) % worldSize
                    let phase: FrameHeader.Phase = hop <= reduceHops ? .reduce : .gather
                    if sender == rank {
                        // `received` is filled in below, when the receives have their order.
                        let source: RingSchedule.Source =
                            hop == 1
                            ? .replicas(first - local.lowerBound..<local.count) : .received(-1)
                        sends.append(.init(hop: hop, chunk: chunk, phase: phase, source: source))
                    }
                    if (sender + 1) % worldSize == rank {
                        let addendCount =
                            switch hop {
                            case ..<reduceHops: local.count
                            case reduceHops: chunk - local.lowerBound + 1
                            default: 0
                            }
                        receives.append(
                            .init(hop: hop, chunk: chunk, phase: phase, addends: 0..<addendCount))
                    }
                }
            }
        }
        sends.sort { ($0.hop, $0.chunk) < ($1.hop, $1.chunk) }
        receives.sort { ($0.hop, $0.chunk) < ($1.hop, $1.chunk) }
        return RingSchedule(sends: Self.linked(sends, to: receives), receives: receives)
    }

    /// Payload bytes that `rank` sends in an all-reduce of `elementCount` floats.
    package func bytesSent(by rank: Int, elementCount: Int) -> Int {
        schedule(of: rank).sends.reduce(0) { sum, send in
            let elements = Self.elements(
                ofChunk: send.chunk, elementCount: elementCount, chunkCount: deal.replicaCount)
            return sum + elements.count * MemoryLayout<Float>.size
        }
    }

    /// Points each forwarding send at the receive of the same chunk one hop earlier. Both lists
    /// have the same order, so the forwarded receives come in the order of the sends.
    private static func linked(
        _ sends: [RingSchedule.Send], to receives: [RingSchedule.Receive]
    ) -> [RingSchedule.Send] {
        var candidate = 0
        return sends.map { send in
            guard send.hop > 1 else { return send }
            while (receives[candidate].hop, receives[candidate].chunk) != (send.hop - 1, send.chunk)
            {
                candidate += 1
            }
            return .init(
                hop: send.hop, chunk: send.chunk, phase: send.phase, source: .received(candidate))
        }
    }
}

extension RingSchedule {
    /// Every rank's block goes round: N-1 hops, block b starting at rank b.
    package static func allGather(
        rank: Int, worldSize: Int, phase: FrameHeader.Phase = .allGather
    ) -> RingSchedule {
        guard worldSize > 1 else { return RingSchedule(sends: [], receives: []) }
        let hops = 1..<worldSize
        return RingSchedule(
            sends: hops.map { hop in
                Send(
                    hop: hop, chunk: (rank - hop + 1 + worldSize) % worldSize, phase: phase,
                    source: hop == 1 ? .stored : .received(hop - 2))
            },
            receives: hops.map { hop in
                Receive(
                    hop: hop, chunk: (rank - hop + worldSize) % worldSize, phase: phase,
                    addends: 0..<0)
            })
    }

    /// One block goes from `root` along the ring to the rank before it.
    package static func broadcast(rank: Int, worldSize: Int, root: Int) -> RingSchedule {
        let distance = (rank - root + worldSize) % worldSize
        let isLast = distance == worldSize - 1
        return RingSchedule(
            sends: isLast
                ? []
                : [
                    Send(
                        hop: distance + 1, chunk: 0, phase: .broadcast,
                        source: distance == 0 ? .stored : .received(0))
                ],
            receives: distance == 0
                ? [] : [Receive(hop: distance, chunk: 0, phase: .broadcast, addends: 0..<0)])
    }
}
