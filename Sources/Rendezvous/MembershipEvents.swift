// What goes into the membership's state machine and what comes out of it, and the bounds it works
// with. Plain data, so that a test can write down a transition as two lists.

import ExitCodes
import WireFormat

/// The figures by which the membership decides.
package struct MembershipSettings: Hashable, Sendable {
    /// How many workers the run waits for before its first step.
    package var workerCount: Int
    /// How many replicas they share; as many workers may take part.
    package var replicaCount: Int
    /// Workers of any other version are refused.
    package var productVersion: String
    /// The secret a worker must tell when it joins; nil asks for none.
    package var joinToken: String?
    /// The levels of arithmetic that workers may run, lowest first. A worker can start
    /// itself anew with any level up to the highest that it names.
    package var arithmeticLevels: [String]
    /// The level that the run is bound to, because it goes on from a state made with it.
    package var requiredArithmetic: String?
    /// How long workers may take to join, and then once more to become ready; how long a run without
    /// workers waits for new ones.
    package var startTimeout: Duration
    /// A silence after which a worker is taken for lost.
    package var heartbeatTimeout: Duration
    /// How long a worker that shows signs of life may take to leave a broken ring: it ends the replica
    /// that it computes first.
    package var haltTimeout: Duration
    /// How long a run that has lost all workers waits for further ones after the first is back.
    package var returnGrace: Duration
    /// How long workers may take to leave once the outcome is settled.
    package var closingGrace: Duration
    /// How long a coordinator that takes another's place waits for its workers.
    package var attachTimeout: Duration
    /// Steps that are committed already.
    package var startStep: Int

    package init(
        workerCount: Int, replicaCount: Int, productVersion: String, joinToken: String? = nil,
        arithmeticLevels: [String], requiredArithmetic: String? = nil,
        startTimeout: Duration, heartbeatTimeout: Duration,
        haltTimeout: Duration = .seconds(30), returnGrace: Duration = .seconds(1),
        closingGrace: Duration = .seconds(2), attachTimeout: Duration = .seconds(3),
        startStep: Int = 0
    ) {
        self.workerCount = workerCount
        self.replicaCount = replicaCount
        self.productVersion = productVersion
        self.joinToken = joinToken
        self.arithmeticLevels = arithmeticLevels
        self.requiredArithmetic = requiredArithmetic
        self.startTimeout = startTimeout
        self.heartbeatTimeout = heartbeatTimeout
        self.haltTimeout = haltTimeout
        self.returnGrace = returnGrace
        self.closingGrace = closingGrace
        self.attachTimeout = attachTimeout
        self.startStep = startStep
    }

    /// What makes a run with these settings impossible, nil when nothing does.
    package var problem: String? {
        if workerCount < 1 { return "a run needs at least 1 worker, got \(workerCount)" }
        if replicaCount < workerCount {
            return "\(workerCount) workers cannot share \(replicaCount) "
                + "\(replicaCount == 1 ? "replica" : "replicas"): "
                + "use at most \(replicaCount) workers or raise 'replicas' in the configuration"
        }
        if replicaCount > ReplicaDeal.replicaCountLimit {
            return "\(replicaCount) replicas, at most \(ReplicaDeal.replicaCountLimit) are possible"
        }
        if arithmeticLevels.isEmpty { return "no level of arithmetic is allowed" }
        if let required = requiredArithmetic, !arithmeticLevels.contains(required) {
            return "the run is bound to the arithmetic '\(required)', which is unknown here; "
                + "known: \(arithmeticLevels.joined(separator: ", "))"
        }
        return nil
    }
}

/// How the loss of a worker was noticed.
package enum LossCause: Hashable, Sendable {
    case connectionClosed
    case connectionFailed(String)
    case silent(Duration)
    case protocolViolation(String)
    case notReading
    /// It said why it gave up.
    case gaveUp(String)
    /// It lives, but did not leave a broken ring in time.
    case stuck(Duration)
    /// It lives, but its neighbours cannot reach it.
    case cutOff

    /// Whether the process may be there still, with its state, and come back by another connection.
    var isOfTheConnection: Bool {
        switch self {
        case .connectionClosed, .connectionFailed, .silent, .notReading: true
        case .protocolViolation, .gaveUp, .stuck, .cutOff: false
        }
    }
}

extension Membership {
    /// What happened.
    package enum Event: Hashable, Sendable {
        /// Time has passed.
        case tick
        /// The coordinator itself has not run for a while: silences count from now on.
        case overslept
        case joined(MemberID, WorkerHello)
        /// Anything came from the worker; with the progress when it was a heartbeat.
        case heard(MemberID, WorkerHeartbeat?)
        /// The worker has read its data.
        case prepared(MemberID)
        case ready(MemberID, ReadyReport)
        /// The worker has left its ring.
        case halted(MemberID, HaltReport)
        /// The worker wants to be left out.
        case leaving(MemberID, LeaveRequest)
        case finished(MemberID, FinishedReport)
        /// The worker says that it cannot go on.
        case failed(MemberID, FailureReport)
        /// The worker's connection is of no more use.
        case lost(MemberID, LossCause)
        /// The state after this step can be restored from now on.
        case saved(step: Int)
        /// Somebody wants the run to end after the current step.
        case stopRequested(reason: String)
        /// The coordinator itself cannot go on, or shall not.
        case runFailed(exitCode: ExitCode, message: String)
    }

    /// What must be done.
    package enum Action: Hashable, Sendable {
        case welcome(MemberID, WorkerDescription)
        /// The worker goes on in the open generation.
        case attach(MemberID, WorkerDescription)
        /// Tell the worker and close its connection.
        case refuse(MemberID, Refusal)
        /// Tell the worker and close its connection; it will join again.
        case restart(MemberID, arithmetic: String)
        /// Send every member (listed in rank order) its assignment.
        case openGeneration(GenerationDescription, members: [MemberID])
        /// All members of the generation train from the same state; `pause` is how long nobody did.
        case running(GenerationDescription, pause: Duration?)
        /// Tell the members of a generation of another deal.
        case redeal([MemberID], DealChange)
        /// Tell the workers to leave the ring of that generation at once.
        case halt([MemberID], generation: UInt32)
        /// Tell the workers to leave the ring of that generation after the step.
        case pause([MemberID], generation: UInt32)
        case stop([MemberID], reason: String)
        case end([MemberID])
        case abort([MemberID], FailureReport)
        /// Close the connection; nothing more is expected from it.
        case drop(MemberID)
        /// A line for the log.
        case note(String)
        /// Nothing is left to do: close everything and return the outcome.
        case conclude(RunOutcome)
    }

    /// One worker, from its welcome on.
    struct Member: Sendable {
        let id: MemberID
        let hello: WorkerHello
        /// The place it fills: its name for people, and what the order on the ring goes by.
        let slot: Int
        var lastHeard: Instant
        var progress: WorkerHeartbeat?
        var isPrepared = false
        /// Its place in the open generation; nil while it waits for the next.
        var rank: Int?
        // Of the open generation.
        var ready: ReadyReport?
        var halted: HaltReport?
        var finished: FinishedReport?
        var leaveReason: String?

        init(id: MemberID, hello: WorkerHello, slot: Int, now: Instant) {
            self.id = id
            self.hello = hello
            self.slot = slot
            lastHeard = now
        }

        /// The same member without its place in a generation and what it reported there.
        var withoutPlace: Member {
            var copy = self
            copy.rank = nil
            copy.ready = nil
            copy.halted = nil
            copy.finished = nil
            return copy
        }

        /// Whether it has left the ring of the open generation.
        var hasLeftRing: Bool { halted != nil || finished != nil }

        /// The step of its state; nil if it has none.
        var stateStep: Int? {
            if let finished { return finished.step }
            guard let halted, halted.hasState else { return nil }
            return halted.step
        }

        var description: WorkerDescription {
            WorkerDescription(
                rank: rank ?? slot, slot: slot, hostName: hello.hostName,
                processID: hello.processID, arithmetic: hello.arithmetic)
        }
    }
}
