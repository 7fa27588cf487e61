// A membership with a clock that only moves when a test says so.

import ExitCodes
import Rendezvous
import WireFormat

/// Feeds events to a membership at instants counted from its start.
struct MembershipHarness {
    let origin = ContinuousClock.now
    var elapsed = Duration.zero
    var membership: Membership

    static let levels = ["low", "middle", "high"]

    static func settings(
        workerCount: Int = 2, replicaCount: Int = 4, requiredArithmetic: String? = nil,
        joinToken: String? = nil, startStep: Int = 0
    ) -> MembershipSettings {
        MembershipSettings(
            workerCount: workerCount, replicaCount: replicaCount, productVersion: "1.0",
            joinToken: joinToken, arithmeticLevels: levels,
            requiredArithmetic: requiredArithmetic, startTimeout: .seconds(30),
            heartbeatTimeout: .seconds(10), haltTimeout: .seconds(5), returnGrace: .seconds(1),
            closingGrace: .seconds(2), startStep: startStep)
    }

    init(_ settings: MembershipSettings = MembershipHarness.settings()) {
        membership = Membership(settings: settings, now: origin)
    }

    mutating func handle(_ event: Membership.Event) -> [Membership.Action] {
        membership.handle(event, now: origin + elapsed)
    }

    @discardableResult
    mutating func advance(_ duration: Duration) -> [Membership.Action] {
        elapsed += duration
        return handle(.tick)
    }

    @discardableResult
    mutating func join(
        _ number: Int, arithmetic: String = "high", highest: String? = nil, slot: Int? = nil,
        version: String = "1.0", token: String? = nil
    ) -> [Membership.Action] {
        handle(
            .joined(
                MemberID(number),
                hello(
                    number, arithmetic: arithmetic, highest: highest, slot: slot,
                    version: version, token: token)))
    }

    @discardableResult
    mutating func prepare(_ number: Int) -> [Membership.Action] {
        handle(.prepared(MemberID(number)))
    }

    /// Joins with the data read already.
    @discardableResult
    mutating func enter(
        _ number: Int, arithmetic: String = "high", highest: String? = nil, slot: Int? = nil
    ) -> [Membership.Action] {
        join(number, arithmetic: arithmetic, highest: highest, slot: slot) + prepare(number)
    }

    /// Ready for the open generation.
    @discardableResult
    mutating func ready(_ number: Int, digest: String = "aaa") -> [Membership.Action] {
        let generation = membership.generation
        return handle(
            .ready(
                MemberID(number),
                ReadyReport(
                    generation: generation?.number ?? 1, step: generation?.startStep ?? 0,
                    weightsDigest: digest)))
    }

    /// Has left the ring of the open generation; a `cause` says that it is broken.
    @discardableResult
    mutating func halt(
        _ number: Int, step: Int, hasState: Bool = true, kept: [Int] = [], cause: String? = nil,
        suspect: Int? = nil
    ) -> [Membership.Action] {
        handle(
            .halted(
                MemberID(number),
                HaltReport(
                    generation: membership.generation?.number ?? 1, step: step, hasState: hasState,
                    keptReplicas: kept, cause: cause, suspect: suspect)))
    }

    @discardableResult
    mutating func leave(_ number: Int) -> [Membership.Action] {
        handle(.leaving(MemberID(number), LeaveRequest(reason: "a signal")))
    }

    @discardableResult
    mutating func lose(
        _ number: Int, _ cause: LossCause = .connectionClosed
    ) -> [Membership.Action] {
        handle(.lost(MemberID(number), cause))
    }

    @discardableResult
    mutating func finish(
        _ number: Int, digest: String = "bbb", stopped: Bool = false, bytes: Int = 1
    ) -> [Membership.Action] {
        handle(.finished(MemberID(number), report(digest: digest, stopped: stopped, bytes: bytes)))
    }

    @discardableResult
    mutating func fail(_ number: Int, exitCode: ExitCode) -> [Membership.Action] {
        handle(.failed(MemberID(number), FailureReport(exitCode: exitCode, message: "words")))
    }

    /// Workers as connections 1, 2, ... in the slots 0, 1, ..., in the running phase.
    static func running(
        _ settings: MembershipSettings = MembershipHarness.settings()
    ) -> MembershipHarness {
        var harness = MembershipHarness(settings)
        for number in 1...settings.workerCount { harness.enter(number) }
        for number in 1...settings.workerCount { harness.ready(number) }
        return harness
    }

    /// The message of a failed outcome.
    var failure: String? {
        switch membership.phase {
        case .ending(_, .failed(_, let message)), .over(.failed(_, let message)): message
        default: nil
        }
    }

    var phaseName: String {
        switch membership.phase {
        case .attaching: "attaching"
        case .gathering: "gathering"
        case .preparing: "preparing"
        case .running: "running"
        case .regrouping(_, let isBroken): isBroken ? "regrouping, broken" : "regrouping"
        case .waiting: "waiting"
        case .ending(_, let outcome): "ending(\(Self.name(outcome)))"
        case .over(let outcome): "over(\(Self.name(outcome)))"
        }
    }

    static func name(_ outcome: RunOutcome) -> String {
        switch outcome {
        case .finished: "finished"
        case .stopped: "stopped"
        case .failed(let exitCode, _): "failed \(exitCode.rawValue)"
        }
    }
}

func hello(
    _ number: Int, arithmetic: String = "high", highest: String? = nil, slot: Int? = nil,
    version: String = "1.0", token: String? = nil, key: String? = nil,
    standing: WorkerStanding? = nil
) -> WorkerHello {
    WorkerHello(
        productVersion: version, hostName: "host\(number)", processID: Int32(100 + number),
        slot: slot, dataPort: 4000 + number, arithmetic: arithmetic,
        highestArithmetic: highest, token: token, key: key ?? "key\(number)", standing: standing)
}

func report(digest: String = "bbb", stopped: Bool = false, bytes: Int = 1) -> FinishedReport {
    FinishedReport(
        step: 60, epoch: 1, weightsDigest: digest, stopped: stopped, peakResidentBytes: bytes)
}

/// The actions' names with the connections they concern; notes are left out.
func summary(_ actions: [Membership.Action]) -> String {
    func list(_ members: [MemberID]) -> String {
        members.map { String($0.number) }.joined(separator: ",")
    }
    return actions.compactMap { action in
        switch action {
        case .welcome(let id, let worker): "welcome \(id.number) slot \(worker.slot)"
        case .attach(let id, let worker): "attach \(id.number) rank \(worker.rank)"
        case .refuse(let id, let refusal): "refuse \(id.number) \(refusal.reason)"
        case .restart(let id, let arithmetic): "restart \(id.number) \(arithmetic)"
        case .openGeneration(let generation, let members):
            "open \(generation.number) with \(list(members)) from \(generation.startStep)"
                + (generation.transfer == .none
                    ? "" : " by \(generation.transfer) of rank \(generation.root)")
                + (generation.restores ? ", restored" : "")
        case .running(let generation, _): "run \(generation.number)"
        case .redeal(let members, let change):
            "redeal \(list(members)) as \(change.deal.ranges.map(\.count))"
        case .halt(let members, let generation): "halt \(list(members)) of \(generation)"
        case .pause(let members, let generation): "pause \(list(members)) of \(generation)"
        case .stop(let members, _): "stop \(list(members))"
        case .end(let members): "end \(list(members))"
        case .abort(let members, let report): "abort \(report.exitCode.rawValue) \(list(members))"
        case .drop(let id): "drop \(id.number)"
        case .note: nil
        case .conclude(let outcome): "conclude \(MembershipHarness.name(outcome))"
        }
    }.joined(separator: "; ")
}
