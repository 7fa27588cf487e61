// The bodies of the messages that the coordinator sends: the run, a worker's part in a generation,
// and the reasons for which a worker is turned away.

import Foundation

/// Why a worker may not join. The message is for the person who started it.
package struct Refusal: ControlMessageBody {
    package enum Reason: String, Codable, Sendable, CaseIterable {
        /// The worker is another version of the program.
        case versionMismatch
        /// The worker cannot run the arithmetic that the run is bound to.
        case arithmeticMismatch
        /// As many workers as replicas take part already.
        case runFull
        /// The run is ending.
        case runOver
        /// The worker does not know the run's secret.
        case wrongToken
    }

    package var reason: Reason
    package var message: String

    package init(reason: Reason, message: String) {
        self.reason = reason
        self.message = message
    }

    package var problem: String? { ControlMessageBounds.text(message, "message") }
}

/// The arithmetic that all workers of the run share; the worker starts itself anew with it.
package struct ArithmeticRestart: ControlMessageBody {
    package var arithmetic: String

    package init(arithmetic: String) {
        self.arithmetic = arithmetic
    }

    package var problem: String? { ControlMessageBounds.name(arithmetic, "arithmetic") }
}

/// What a member needs to know of the run before it is given a rank.
package struct RunDescription: ControlMessageBody {
    /// The resolved configuration.
    package var configurationJSON: String
    /// The secret by which the members of this run know each other on the ring.
    package var runToken: String
    /// How often both sides show that they live.
    package var heartbeatIntervalSeconds: Double
    /// After how long a silence either side takes the other for lost.
    package var heartbeatTimeoutSeconds: Double
    /// How far the record goes, for a worker that is still a member of the open generation and goes
    /// on in it; nil for a newcomer.
    package var attachedRecord: RecordPosition?

    package init(
        configurationJSON: String, runToken: String, heartbeatInterval: Duration,
        heartbeatTimeout: Duration, attachedRecord: RecordPosition? = nil
    ) {
        self.configurationJSON = configurationJSON
        self.runToken = runToken
        heartbeatIntervalSeconds = heartbeatInterval / .seconds(1)
        heartbeatTimeoutSeconds = heartbeatTimeout / .seconds(1)
        self.attachedRecord = attachedRecord
    }

    package var heartbeatInterval: Duration { .seconds(heartbeatIntervalSeconds) }
    package var heartbeatTimeout: Duration { .seconds(heartbeatTimeoutSeconds) }

    package var problem: String? {
        ControlMessageBounds.name(runToken, "runToken") ?? attachedRecord?.problem
            ?? (heartbeatIntervalSeconds > 0
                ? ControlMessageBounds.seconds(heartbeatIntervalSeconds, "heartbeatIntervalSeconds")
                : "'heartbeatIntervalSeconds' is not positive")
            ?? (heartbeatTimeoutSeconds >= heartbeatIntervalSeconds
                ? ControlMessageBounds.seconds(heartbeatTimeoutSeconds, "heartbeatTimeoutSeconds")
                : "'heartbeatTimeoutSeconds' is shorter than the interval")
    }
}

/// What the root sends to the other members at the start of a generation.
package enum StateTransfer: String, Codable, Sendable, CaseIterable {
    /// All members are at the step already.
    case none
    /// The reduced gradient of the last committed step, for those who are one step behind.
    case gradient
    /// Weights, statistics and optimizer state.
    case state
}

/// How far the coordinator's record of a run goes, in committed steps; 0 is nothing.
package struct RecordPosition: ControlMessageBody {
    /// All steps up to this one are in the metrics.
    package var reportedStep: Int
    /// The last step after which an evaluation came.
    package var evaluatedStep: Int
    /// The last step after which a checkpoint came.
    package var checkpointStep: Int

    package init(reportedStep: Int = 0, evaluatedStep: Int = 0, checkpointStep: Int = 0) {
        self.reportedStep = reportedStep
        self.evaluatedStep = evaluatedStep
        self.checkpointStep = checkpointStep
    }

    package var problem: String? {
        ControlMessageBounds.count(reportedStep, "reportedStep")
            ?? ControlMessageBounds.count(evaluatedStep, "evaluatedStep")
            ?? ControlMessageBounds.count(checkpointStep, "checkpointStep")
    }
}

/// Another deal for the members of a generation, in effect as soon as all of them have it.
package struct DealChange: ControlMessageBody {
    package var generation: UInt32
    /// Counted over the whole run, from 1.
    package var number: Int
    package var deal: ReplicaDeal

    package init(generation: UInt32, number: Int, deal: ReplicaDeal) {
        self.generation = generation
        self.number = number
        self.deal = deal
    }

    package var problem: String? {
        number > 0 ? ControlMessageBounds.count(number, "number") : "'number' is not positive"
    }
}

/// Leave the ring of a generation: at once, or after the step that is under way.
package struct HaltRequest: ControlMessageBody {
    package var generation: UInt32

    package init(generation: UInt32) {
        self.generation = generation
    }

    package var problem: String? { nil }
}

/// A worker's part in a generation.
package struct Assignment: ControlMessageBody {
    package var generation: UInt32
    package var rank: Int
    /// Which replicas each rank computes.
    package var deal: ReplicaDeal
    /// The data listeners of all ranks, in rank order, as seen from this worker ("host:port").
    package var addresses: [String]
    /// The number of steps that have been committed already.
    package var startStep: Int
    /// Stop after this many steps in all, though the configuration asks for more.
    package var stopAfterStep: Int?
    /// How members that are not at `startStep` get there.
    package var transfer: StateTransfer
    /// The rank whose state or reduced gradient the others take.
    package var root: Int
    /// True when the coordinator sends the root the files to resume from.
    package var stateFollows: Bool
    /// What the coordinator has of the run so far; what is missing, rank 0 sends again.
    package var record: RecordPosition
    /// The arithmetic that all members run.
    package var arithmetic: String

    package init(
        generation: UInt32, rank: Int, deal: ReplicaDeal, addresses: [String], startStep: Int,
        stopAfterStep: Int? = nil, transfer: StateTransfer = .none, root: Int = 0,
        stateFollows: Bool = false, record: RecordPosition = RecordPosition(), arithmetic: String
    ) {
        self.generation = generation
        self.rank = rank
        self.deal = deal
        self.addresses = addresses
        self.startStep = startStep
        self.stopAfterStep = stopAfterStep
        self.transfer = transfer
        self.root = root
        self.stateFollows = stateFollows
        self.record = record
        self.arithmetic = arithmetic
    }

    package var worldSize: Int { deal.worldSize }

    package var problem: String? {
        if addresses.count != deal.worldSize {
            return "\(addresses.count) addresses for \(deal.worldSize) ranks"
        }
        if !(0..<deal.worldSize).contains(rank) {
            return "'rank' is out of range: \(rank) of \(deal.worldSize)"
        }
        if !(0..<deal.worldSize).contains(root) {
            return "'root' is out of range: \(root) of \(deal.worldSize)"
        }
        return ControlMessageBounds.count(startStep, "startStep")
            ?? stopAfterStep.flatMap { ControlMessageBounds.count($0, "stopAfterStep") }
            ?? record.problem ?? ControlMessageBounds.name(arithmetic, "arithmetic")
            ?? addresses.lazy.compactMap { ControlMessageBounds.name($0, "addresses") }.first
    }
}

/// The run has to end after the current step.
package struct StopRequest: ControlMessageBody {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package var problem: String? { ControlMessageBounds.text(reason, "reason") }
}
