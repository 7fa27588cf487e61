// A question that any process which reaches the control port may ask, and its answer: who takes
// part in the run and what each worker does. The process that asks becomes no member; its
// connection ends with the answer.

import Foundation

/// Asks for the state of the run.
package struct StatusRequest: ControlMessageBody {
    /// The secret that the coordinator may ask for.
    package var token: String?

    package init(token: String? = nil) {
        self.token = token
    }

    package var problem: String? {
        token.flatMap { ControlMessageBounds.name($0, "token") }
    }
}

/// The state of a run at one moment.
package struct StatusReport: ControlMessageBody {
    /// The most workers in one report; far above what a run may have.
    package static let workerLimit = 2 * ReplicaDeal.replicaCountLimit

    /// A connected worker.
    package struct Worker: Codable, Hashable, Sendable {
        /// The slot that it fills.
        package var slot: Int
        /// Its rank in the generation; nil while it waits to join.
        package var rank: Int?
        package var host: String
        package var pid: Int32
        /// What it was busy with at its last heartbeat.
        package var phase: String
        /// Steps that it had committed then.
        package var step: Int
        /// The replicas that it computes.
        package var firstReplica: Int?
        package var replicaCount: Int?
        /// Time since its last message.
        package var silenceSeconds: Double

        package init(
            slot: Int, rank: Int?, host: String, pid: Int32, phase: String, step: Int,
            replicas: Range<Int>?, silence: Duration
        ) {
            self.slot = slot
            self.rank = rank
            self.host = host
            self.pid = pid
            self.phase = phase
            self.step = step
            firstReplica = replicas?.lowerBound
            replicaCount = replicas?.count
            silenceSeconds = max(0, silence / .seconds(1))
        }

        fileprivate var problem: String? {
            let counts = [
                ("slot", slot), ("rank", rank ?? 0), ("step", step),
                ("firstReplica", firstReplica ?? 0), ("replicaCount", replicaCount ?? 0),
            ]
            for (name, value) in counts {
                if let problem = ControlMessageBounds.count(value, name) { return problem }
            }
            return ControlMessageBounds.name(host, "host")
                ?? ControlMessageBounds.name(phase, "phase")
                ?? ControlMessageBounds.seconds(silenceSeconds, "silenceSeconds")
        }
    }

    /// The run's name.
    package var run: String
    /// "gathering", "running", ...: the phase of the membership.
    package var state: String
    /// 0 before the first generation.
    package var generation: UInt32
    /// Steps that were committed before the generation's first.
    package var startStep: Int
    /// The last committed step that was reported.
    package var step: Int
    package var totalSteps: Int
    /// The speed of the last steps.
    package var samplesPerSecond: Double
    /// Time since the last report of a step.
    package var sinceStepSeconds: Double
    /// The step whose checkpoint is on its way to the coordinator.
    package var arrivingCheckpoint: Int?
    /// Number of the coordinator's process.
    package var coordinatorPID: Int32
    /// In the order of their slots.
    package var workers: [Worker]

    package init(
        run: String, state: String, generation: UInt32, startStep: Int, step: Int,
        totalSteps: Int, samplesPerSecond: Double, sinceStep: Duration,
        arrivingCheckpoint: Int? = nil, coordinatorPID: Int32, workers: [Worker]
    ) {
        self.run = run
        self.state = state
        self.generation = generation
        self.startStep = startStep
        self.step = step
        self.totalSteps = totalSteps
        self.samplesPerSecond = samplesPerSecond
        sinceStepSeconds = max(0, sinceStep / .seconds(1))
        self.arrivingCheckpoint = arrivingCheckpoint
        self.coordinatorPID = coordinatorPID
        self.workers = Array(workers.prefix(Self.workerLimit))
    }

    package var problem: String? {
        if workers.count > Self.workerLimit {
            return "\(workers.count) workers, at most \(Self.workerLimit) are possible"
        }
        let counts = [
            ("startStep", startStep), ("step", step), ("totalSteps", totalSteps),
            ("arrivingCheckpoint", arrivingCheckpoint ?? 0),
        ]
        for (name, value) in counts {
            if let problem = ControlMessageBounds.count(value, name) { return problem }
        }
        if !samplesPerSecond.isFinite { return "'samplesPerSecond' is no number" }
        if let problem = ControlMessageBounds.text(run, "run") { return problem }
        if let problem = ControlMessageBounds.name(state, "state") { return problem }
        return ControlMessageBounds.seconds(sinceStepSeconds, "sinceStepSeconds")
            ?? workers.lazy.compactMap(\.problem).first
    }
}
