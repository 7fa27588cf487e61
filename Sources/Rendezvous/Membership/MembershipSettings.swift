import WireFormat

/// The figures by which the membership decides.
package struct MembershipSettings: Hashable, Sendable {
    /// How many workers the run waits for before its first step.
    package var workerCount: Int
    /// How many replicas they share; as many workers may take part.
    package var replicaCount: Int
    /// Workers of any other version are refused.
    package var productVersion: String
    /// The secret that a worker must know to join; nil asks for none.
    package var joinToken: String?
    /// The levels of arithmetic that workers may run, lowest first. A worker can start
    /// itself anew with any level up to the highest that it names.
    package var arithmeticLevels: [String]
    /// The level that the run is bound to, because the state it goes on from was made with it.
    package var requiredArithmetic: String?
    /// How long workers may take to join, and then once more to become ready; how long a run
    /// without workers waits for new ones.
    package var startTimeout: Duration
    /// A silence after which a worker is taken for lost.
    package var heartbeatTimeout: Duration
    /// How long a worker that shows signs of life may take to leave a broken ring: it ends the
    /// replica that it computes first.
    package var haltTimeout: Duration
    /// How long a run that has lost all workers waits for further ones after the first is back.
    package var returnGrace: Duration
    /// How long workers may take to leave once the outcome is settled.
    package var closingGrace: Duration
    /// How long a coordinator that takes over from another waits for its workers.
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
