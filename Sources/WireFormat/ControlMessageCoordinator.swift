// The bodies of the messages that the coordinator sends: the run, a worker's place in it, and the
// reasons for which a worker is turned away.

import Foundation

/// Why a worker may not join. The words are for the person who started it.
package struct Refusal: ControlMessageBody {
    package enum Reason: String, Codable, Sendable, CaseIterable {
        /// The worker is another version of the program.
        case versionMismatch
        /// The worker cannot run the arithmetic that the run is bound to.
        case arithmeticMismatch
        /// All places are taken, or the run has begun.
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

    package init(
        configurationJSON: String, runToken: String, heartbeatInterval: Duration,
        heartbeatTimeout: Duration
    ) {
        self.configurationJSON = configurationJSON
        self.runToken = runToken
        heartbeatIntervalSeconds = heartbeatInterval / .seconds(1)
        heartbeatTimeoutSeconds = heartbeatTimeout / .seconds(1)
    }

    package var heartbeatInterval: Duration { .seconds(heartbeatIntervalSeconds) }
    package var heartbeatTimeout: Duration { .seconds(heartbeatTimeoutSeconds) }

    package var problem: String? {
        ControlMessageBounds.name(runToken, "runToken")
            ?? (heartbeatIntervalSeconds > 0
                ? ControlMessageBounds.seconds(heartbeatIntervalSeconds, "heartbeatIntervalSeconds")
                : "'heartbeatIntervalSeconds' is not positive")
            ?? (heartbeatTimeoutSeconds >= heartbeatIntervalSeconds
                ? ControlMessageBounds.seconds(heartbeatTimeoutSeconds, "heartbeatTimeoutSeconds")
                : "'heartbeatTimeoutSeconds' is shorter than the interval")
    }
}

/// A worker's place in a generation.
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
    /// True when the coordinator sends rank 0 the files to resume from.
    package var stateFollows: Bool
    /// The arithmetic that all members run.
    package var arithmetic: String

    package init(
        generation: UInt32, rank: Int, deal: ReplicaDeal, addresses: [String], startStep: Int,
        stopAfterStep: Int?, stateFollows: Bool, arithmetic: String
    ) {
        self.generation = generation
        self.rank = rank
        self.deal = deal
        self.addresses = addresses
        self.startStep = startStep
        self.stopAfterStep = stopAfterStep
        self.stateFollows = stateFollows
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
        return ControlMessageBounds.count(startStep, "startStep")
            ?? stopAfterStep.flatMap { ControlMessageBounds.count($0, "stopAfterStep") }
            ?? ControlMessageBounds.name(arithmetic, "arithmetic")
            ?? addresses.lazy.compactMap { ControlMessageBounds.name($0, "addresses") }.first
    }
}

/// The run shall end after the current step.
package struct StopRequest: ControlMessageBody {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package var problem: String? { ControlMessageBounds.text(reason, "reason") }
}
