import Transport
import WireFormat

/// How this worker introduces itself, and what it demands of its neighbours.
struct RingIntroduction {
    let rank: Int
    let generation: UInt32
    let token: String
    let deal: ReplicaDeal
    let segmentByteCount: Int
    let transport: LinkTransport
    let links: any LinkFactory

    var nextRank: Int { (rank + 1) % deal.worldSize }
    var previousRank: Int { (rank + deal.worldSize - 1) % deal.worldSize }

    private func handshake(of rank: Int) -> FrameHandshake {
        FrameHandshake(
            generation: generation, rank: UInt32(rank), worldSize: UInt32(deal.worldSize),
            segmentByteCount: UInt32(segmentByteCount),
            dealChecksum: FrameHandshake.dealChecksum(deal), token: token)
    }

    func greeting(_ sharing: FrameHandshake.Sharing) throws(WireFormatError) -> [UInt8] {
        var handshake = handshake(of: rank)
        handshake.sharing = sharing
        return try handshake.encoded()
    }

    /// Nil when `got` is the handshake that `rank` sends; otherwise what is wrong with it.
    func objection(to got: FrameHandshake, from rank: Int) -> String? {
        var expected = handshake(of: rank)
        expected.sharing = got.sharing
        if got == expected { return nil }
        if got.token != expected.token { return "a worker of another run" }
        let fields: [(String, UInt32, UInt32)] = [
            ("generation", got.generation, expected.generation),
            ("rank", got.rank, expected.rank),
            ("number of workers", got.worldSize, expected.worldSize),
            ("segment size", got.segmentByteCount, expected.segmentByteCount),
            ("deal of replicas", got.dealChecksum, expected.dealChecksum),
        ]
        for (name, got, expected) in fields where got != expected {
            return "a worker with \(name) \(got), expected \(expected)"
        }
        return "an unexpected handshake"
    }

    func error(_ reason: String, neighbour: Int?) -> CollectiveError {
        error(.notConnected(reason), neighbour: neighbour)
    }

    func error(_ cause: CollectiveError.Cause, neighbour: Int?) -> CollectiveError {
        CollectiveError(
            operation: .connect, cause: cause, rank: rank, neighbour: neighbour,
            generation: generation, step: 0, bucket: 0)
    }
}
