// What goes into the membership's state machine and what comes out of it, and the bounds it works
// with. Plain data, so that a test can write down a transition as two lists.

import WireFormat

/// The figures by which the membership decides.
package struct MembershipSettings: Hashable, Sendable {
    /// How many workers the run waits for.
    package var workerCount: Int
    /// How many replicas they share.
    package var replicaCount: Int
    /// Workers of any other version are refused.
    package var productVersion: String
    /// The secret a worker must tell when it joins; nil asks for none.
    package var joinToken: String?
    /// The levels of arithmetic that workers may run, lowest first. A worker that runs a level can
    /// start itself anew with any lower one.
    package var arithmeticLevels: [String]
    /// The level that the run is bound to, because it goes on from a state made with it.
    package var requiredArithmetic: String?
    /// How long workers may take to join, and then once more to become ready.
    package var startTimeout: Duration
    /// A silence after which a worker is taken for lost.
    package var heartbeatTimeout: Duration
    /// How long a worker's complaint of a lost peer waits for the cause to show itself.
    package var blameGrace: Duration
    /// How long workers may take to leave once the outcome is settled.
    package var closingGrace: Duration
    /// Steps that are committed already.
    package var startStep: Int

    package init(
        workerCount: Int, replicaCount: Int, productVersion: String, joinToken: String? = nil,
        arithmeticLevels: [String], requiredArithmetic: String? = nil,
        startTimeout: Duration, heartbeatTimeout: Duration,
        blameGrace: Duration = .seconds(1), closingGrace: Duration = .seconds(2),
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
        self.blameGrace = blameGrace
        self.closingGrace = closingGrace
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
}

extension Membership {
    /// What happened.
    package enum Event: Hashable, Sendable {
        /// Time has passed.
        case tick
        case joined(MemberID, WorkerHello)
        /// Anything came from the worker; with the progress when it was a heartbeat.
        case heard(MemberID, WorkerHeartbeat?)
        case ready(MemberID, ReadyReport)
        case finished(MemberID, FinishedReport)
        /// The worker says that it cannot go on.
        case failed(MemberID, FailureReport)
        /// The worker's connection is of no more use.
        case lost(MemberID, LossCause)
        /// Somebody wants the run to end after the current step.
        case stopRequested(reason: String)
        /// The coordinator itself cannot go on, or shall not.
        case runFailed(exitCode: Int32, message: String)
    }

    /// What must be done.
    package enum Action: Hashable, Sendable {
        case welcome(MemberID, WorkerDescription)
        /// Tell the worker and close its connection.
        case refuse(MemberID, Refusal)
        /// Tell the worker and close its connection; it will join again.
        case restart(MemberID, arithmetic: String)
        /// Send every member (listed in rank order) its assignment.
        case openGeneration(GenerationDescription, members: [MemberID])
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
        let rank: Int
        var lastHeard: Instant
        var progress: WorkerHeartbeat?
        var ready: ReadyReport?
        var finished: FinishedReport?
        var failure: FailureReport?
        var isConnected = true

        init(id: MemberID, hello: WorkerHello, rank: Int, now: Instant) {
            self.id = id
            self.hello = hello
            self.rank = rank
            lastHeard = now
        }

        var description: WorkerDescription {
            WorkerDescription(
                rank: rank, hostName: hello.hostName, processID: hello.processID,
                arithmetic: hello.arithmetic)
        }
    }
}
