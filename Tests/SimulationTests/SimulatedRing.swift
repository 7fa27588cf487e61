// The ring of one generation: who has connected, who takes part in which operation, who learns what
// when a member leaves. An operation that needs all members may end at some members and not at
// others.

/// Why a member's part in a ring ended.
struct RingFailure {
    let reason: String
    /// The rank that did not answer.
    let suspect: Int?
}

final class SimulatedRing {
    enum Operation: Equatable, CustomStringConvertible {
        /// From the root to the others, one after another.
        case broadcast(step: Int, root: Int)
        case reduce(step: Int)
        case evaluate(step: Int)

        var description: String {
            switch self {
            case .broadcast(let step, let root): "broadcast from \(root) at \(step)"
            case .reduce(let step): "reduce \(step)"
            case .evaluate(let step): "evaluate \(step)"
            }
        }
    }

    private enum Status { case absent, connecting, connected, gone }

    /// What a member brings into an operation.
    struct Contribution {
        var gradients: [(replica: Int, value: UInt64)] = []
        var state: UInt64 = 0
        var step = 0
        var stop = false
        var pause = false
    }

    private struct Member {
        let worker: SimulatedWorker
        var status = Status.absent
        /// The link to the next member.
        var isLinkUp = false
        var operations: [(operation: Operation, contribution: Contribution)] = []
        var completed = 0
        var then: (([Contribution]) -> Void)?
    }

    static let connectTimeout = 10_000_000
    static let stallTimeout = 30_000_000

    let generation: UInt32
    private unowned let simulation: Simulation
    private var members: [Member]

    init(generation: UInt32, members: [SimulatedWorker], _ simulation: Simulation) {
        self.generation = generation
        self.members = members.map { Member(worker: $0) }
        self.simulation = simulation
    }

    private var size: Int { members.count }
    private func next(_ rank: Int) -> Int { (rank + 1) % size }
    private func previous(_ rank: Int) -> Int { (rank + size - 1) % size }

    var workers: [SimulatedWorker] { members.map(\.worker) }

    // MARK: - Connecting

    func connect(_ rank: Int, then: @escaping () -> Void) {
        members[rank].status = .connecting
        members[rank].then = { _ in then() }
        for link in Set([previous(rank), rank]).sorted() { establish(link) }
        simulation.after(Self.connectTimeout) { [self] in
            guard members[rank].status == .connecting else { return }
            let missing = members[previous(rank)].isLinkUp ? next(rank) : previous(rank)
            fail(rank, RingFailure(reason: "not connected", suspect: missing))
        }
    }

    private func isThere(_ rank: Int) -> Bool {
        members[rank].status == .connecting || members[rank].status == .connected
    }

    /// The link from a member to the next one comes to stand when both are there.
    private func establish(_ rank: Int) {
        let other = next(rank)
        guard isThere(rank), isThere(other) else { return }
        simulation.after(delay(rank, other)) { [self] in
            guard isThere(rank), isThere(other) else { return }
            members[rank].isLinkUp = true
            for one in Set([rank, other]).sorted() { connected(one) }
        }
    }

    private func connected(_ rank: Int) {
        guard members[rank].isLinkUp, members[previous(rank)].isLinkUp else { return }
        members[rank].worker.run { [self] in
            guard members[rank].status == .connecting, let then = members[rank].then else {
                return
            }
            members[rank].then = nil
            members[rank].status = .connected
            then([])
        }
    }

    /// How long something takes from one member to another, held up where the hosts are apart.
    private func delay(_ first: Int, _ second: Int) -> Int {
        simulation.ringDelay(members[first].worker.slot, members[second].worker.slot)
    }

    // MARK: - Operations

    /// Takes part in the next operation; `then` gets the contributions of all, by rank.
    func enter(
        _ rank: Int, _ operation: Operation, _ contribution: Contribution,
        then: @escaping ([Contribution]) -> Void
    ) {
        guard members[rank].status == .connected else { return }
        let index = members[rank].operations.count
        for (other, member) in members.enumerated() where member.operations.count > index {
            let theirs = member.operations[index].operation
            if theirs != operation {
                simulation.violation(
                    "ring \(generation): rank \(rank) is at \(operation), rank \(other) at \(theirs)"
                )
            }
        }
        members[rank].operations.append((operation, contribution))
        members[rank].then = then
        simulation.after(Self.stallTimeout) { [self] in
            guard members[rank].status == .connected, members[rank].completed == index else {
                return
            }
            fail(rank, RingFailure(reason: "stalled", suspect: previous(rank)))
        }
        for neighbour in [previous(rank), next(rank)] where members[neighbour].status == .gone {
            notice(rank, leaver: neighbour)
        }
        advance(index)
    }

    private func advance(_ index: Int) {
        let present = members.indices.filter { members[$0].operations.count > index }
        guard let first = present.first else { return }
        guard case .broadcast(_, let root) = members[first].operations[index].operation else {
            guard present.count == size else { return }
            let contributions = members.map { $0.operations[index].contribution }
            let held = members.indices.map { delay($0, next($0)) }.max() ?? 0
            for rank in members.indices {
                complete(rank, index, held + simulation.random.duration(50, 5_000), contributions)
            }
            return
        }
        var rank = root
        var delays = 0
        while members[rank].operations.count > index {
            complete(rank, index, delays, [members[root].operations[index].contribution])
            delays += delay(rank, next(rank))
            rank = next(rank)
            if rank == root { return }
        }
    }

    private func complete(
        _ rank: Int, _ index: Int, _ delay: Int, _ contributions: [Contribution]
    ) {
        simulation.after(delay) { [self] in
            members[rank].worker.run { [self] in
                guard members[rank].status == .connected, members[rank].completed == index,
                    let then = members[rank].then
                else { return }
                members[rank].completed = index + 1
                members[rank].then = nil
                then(contributions)
            }
        }
    }

    // MARK: - Ending

    private func fail(_ rank: Int, _ failure: RingFailure) {
        members[rank].worker.run { [self] in
            guard isThere(rank) else { return }
            members[rank].worker.ringFailed(self, failure)
        }
    }

    /// A member's links close. What it has done its part of still ends elsewhere, unless its data
    /// was lost with it.
    func leave(_ rank: Int, isAbrupt: Bool) {
        guard isThere(rank) else { return }
        members[rank].status = .gone
        if isAbrupt { members[rank].completed = 0 }
        for neighbour in [previous(rank), next(rank)] where neighbour != rank {
            notice(neighbour, leaver: rank)
        }
    }

    private func notice(_ rank: Int, leaver: Int) {
        simulation.after(delay(rank, leaver)) { [self] in
            guard members[rank].status == .connected,
                members[rank].completed >= members[leaver].completed
            else { return }
            fail(rank, RingFailure(reason: "closed", suspect: nil))
        }
    }

    /// The link from a member to the next one is reset.
    func cut(after rank: Int) {
        for end in [rank, next(rank)] where members[end].status == .connected {
            simulation.after(simulation.random.duration(10, 1_000)) { [self] in
                guard members[end].status == .connected else { return }
                fail(end, RingFailure(reason: "reset", suspect: nil))
            }
        }
    }
}
