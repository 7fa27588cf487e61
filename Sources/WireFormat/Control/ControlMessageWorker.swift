// The bodies of the messages that workers send: who they are, what they have done, how they ended.
// Steps and epochs are counted from 1 in reports, as a person counts them; a step that is reported
// has been committed by every worker.

import ExitCodes
import Foundation

/// The worker that asks to join, and what it brings.
package struct WorkerHello: ControlMessageBody {
    package var productVersion: String
    package var protocolVersion: Int
    package var hostName: String
    package var processID: Int32
    /// The slot that the worker was started for: a place where `rondo train` keeps a worker
    /// running. Nil takes any free one.
    package var slot: Int?
    /// The port of the worker's data listener, which was opened before it joined.
    package var dataPort: Int
    /// The level of arithmetic that the worker runs; results are equal bits at equal levels only.
    package var arithmetic: String
    /// The level that it can be started anew with; nil where that is the same.
    package var highestArithmetic: String?
    /// The secret that the coordinator may ask for.
    package var token: String?
    /// Identifies this process on all its connections.
    package var key: String
    /// What it has done in a run that it takes part in already; nil for a newcomer.
    package var standing: WorkerStanding?

    package init(
        productVersion: String, protocolVersion: Int = ControlProtocol.version, hostName: String,
        processID: Int32, slot: Int?, dataPort: Int, arithmetic: String,
        highestArithmetic: String? = nil, token: String?, key: String = "none",
        standing: WorkerStanding? = nil
    ) {
        self.productVersion = productVersion
        self.protocolVersion = protocolVersion
        self.hostName = hostName
        self.processID = processID
        self.slot = slot
        self.dataPort = dataPort
        self.arithmetic = arithmetic
        self.highestArithmetic = highestArithmetic
        self.token = token
        self.key = key
        self.standing = standing
    }

    package var problem: String? {
        if let problem = ControlMessageBounds.name(productVersion, "productVersion")
            ?? ControlMessageBounds.name(hostName, "hostName")
            ?? ControlMessageBounds.name(arithmetic, "arithmetic")
            ?? highestArithmetic.flatMap({ ControlMessageBounds.name($0, "highestArithmetic") })
            ?? ControlMessageBounds.name(key, "key")
        {
            return problem
        }
        if processID <= 0 { return "'processID' is out of range: \(processID)" }
        if !(1...65535).contains(dataPort) { return "'dataPort' is out of range: \(dataPort)" }
        return slot.flatMap { ControlMessageBounds.count($0, "slot") }
            ?? token.flatMap { ControlMessageBounds.name($0, "token") } ?? standing?.problem
    }
}

/// What a worker has reported to a coordinator that is gone, for the one that takes over.
package struct WorkerStanding: ControlMessageBody {
    /// The last generation that it was assigned to.
    package var generation: UInt32
    package var rank: Int
    /// What it has reported in that generation.
    package var ready: ReadyReport?
    package var halted: HaltReport?
    package var finished: FinishedReport?

    package init(
        generation: UInt32, rank: Int, ready: ReadyReport? = nil, halted: HaltReport? = nil,
        finished: FinishedReport? = nil
    ) {
        self.generation = generation
        self.rank = rank
        self.ready = ready
        self.halted = halted
        self.finished = finished
    }

    package var problem: String? {
        ControlMessageBounds.count(rank, "rank") ?? ready?.problem ?? halted?.problem
            ?? finished?.problem
    }
}

/// The worker has opened its ring links and holds the weights of `step`.
package struct ReadyReport: ControlMessageBody {
    package var generation: UInt32
    package var step: Int
    /// Equal on all workers, or the run is not one run.
    package var weightsDigest: String

    package init(generation: UInt32, step: Int, weightsDigest: String) {
        self.generation = generation
        self.step = step
        self.weightsDigest = weightsDigest
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step")
            ?? ControlMessageBounds.name(weightsDigest, "weightsDigest")
    }
}

/// A worker has left its ring and waits for the next generation.
package struct HaltReport: ControlMessageBody {
    /// The most replicas of a step that one report names.
    package static let keptLimit = ReplicaDeal.replicaCountLimit

    /// The generation whose ring it has left.
    package var generation: UInt32
    /// Steps that this worker has committed.
    package var step: Int
    /// Whether its weights and optimizer state are those of `step`: false while a state was under
    /// way.
    package var hasState: Bool
    /// Replicas of the step after `step` whose gradients it holds.
    package var keptReplicas: [Int]
    /// Why the ring broke, as this worker saw it; nil when it left because it was asked to.
    package var cause: String?
    /// The neighbour that it could not reach or that fell silent.
    package var suspect: Int?

    package init(
        generation: UInt32, step: Int, hasState: Bool, keptReplicas: [Int], cause: String?,
        suspect: Int?
    ) {
        self.generation = generation
        self.step = step
        self.hasState = hasState
        self.keptReplicas = keptReplicas
        self.cause = cause.map(ControlMessageBounds.clipped)
        self.suspect = suspect
    }

    package var problem: String? {
        if keptReplicas.count > Self.keptLimit {
            return "\(keptReplicas.count) kept replicas, at most \(Self.keptLimit) are possible"
        }
        return ControlMessageBounds.count(step, "step")
            ?? keptReplicas.lazy.compactMap { ControlMessageBounds.count($0, "keptReplicas") }.first
            ?? cause.flatMap { ControlMessageBounds.text($0, "cause") }
            ?? suspect.flatMap { ControlMessageBounds.count($0, "suspect") }
    }
}

/// A worker asks to be left out of the next generation.
package struct LeaveRequest: ControlMessageBody {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package var problem: String? { ControlMessageBounds.text(reason, "reason") }
}

/// A sign of life, with the last committed step and the phase of the present one.
package struct WorkerHeartbeat: ControlMessageBody {
    package var step: Int
    package var phase: String
    /// What computing one replica takes, smoothed over the last steps; nil before the first.
    package var secondsPerReplica: Double?
    /// The number of the last change of the deal that is in effect; 0 for the generation's own.
    package var dealNumber: Int

    package init(
        step: Int, phase: String, secondsPerReplica: Double? = nil, dealNumber: Int = 0
    ) {
        self.step = step
        self.phase = phase
        self.secondsPerReplica = secondsPerReplica
        self.dealNumber = dealNumber
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step") ?? ControlMessageBounds.name(phase, "phase")
            ?? secondsPerReplica.flatMap { ControlMessageBounds.seconds($0, "secondsPerReplica") }
            ?? ControlMessageBounds.count(dealNumber, "dealNumber")
    }
}

/// One committed step, summed over all replicas.
package struct StepReport: ControlMessageBody {
    /// The most sums of a task's own that a step may have: a full message still fits into a frame.
    package static let sumLimit = 16

    /// The number of steps committed so far, this one included.
    package var step: Int
    /// The epoch that the step belongs to, from 1.
    package var epoch: Int
    package var lossSum: Double
    /// What was predicted: images, or symbols.
    package var sampleCount: Int
    /// What `lossSum` is divided by for the mean: the samples, unless they are weighted.
    package var lossWeight: Double
    /// The task's own sums, in the order in which its metrics name them.
    package var sums: [Double]
    /// How long the step took.
    package var seconds: Double
    package var learningRate: Double
    /// The norm of the step's gradient, where it was computed.
    package var gradientNorm: Double?
    /// The first position of the epoch's order that the step used.
    package var firstPosition: Int
    /// Samples of the data set that the replicas have used, counted by them; `sampleCount` counts what they
    /// predict.
    package var usedCount: Int
    /// When the step was committed, in seconds since 1970 by the clock of the worker that reports it.
    package var time: Double
    /// The number of the change of the deal by which it was computed; 0 for the generation's own deal.
    package var dealNumber: Int

    /// The mean loss.
    package var loss: Double { lossWeight > 0 ? lossSum / lossWeight : lossSum }

    package init(
        step: Int, epoch: Int, lossSum: Double, sampleCount: Int, lossWeight: Double? = nil,
        sums: [Double] = [], seconds: Double, learningRate: Double,
        gradientNorm: Double? = nil, firstPosition: Int = 0, usedCount: Int? = nil,
        time: Double = 0, dealNumber: Int = 0
    ) {
        self.step = step
        self.epoch = epoch
        self.lossSum = lossSum
        self.sampleCount = sampleCount
        self.lossWeight = lossWeight ?? Double(sampleCount)
        self.sums = sums
        self.seconds = seconds
        self.learningRate = learningRate
        self.gradientNorm = gradientNorm
        self.firstPosition = firstPosition
        self.usedCount = usedCount ?? sampleCount
        self.time = time
        self.dealNumber = dealNumber
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step") ?? ControlMessageBounds.count(epoch, "epoch")
            ?? ControlMessageBounds.count(dealNumber, "dealNumber")
            ?? ControlMessageBounds.count(sampleCount, "sampleCount")
            ?? ControlMessageBounds.length(sums.count, "sums", limit: Self.sumLimit)
            ?? ControlMessageBounds.seconds(seconds, "seconds")
            ?? ControlMessageBounds.count(firstPosition, "firstPosition")
            ?? ControlMessageBounds.count(usedCount, "usedCount")
            ?? ControlMessageBounds.instant(time, "time")
    }
}

/// Several steps in one message: fast steps are reported in groups.
package struct StepReports: ControlMessageBody {
    /// The most reports that one message carries; the sender splits longer lists.
    package static let countLimit = 1024

    package var reports: [StepReport]

    package init(reports: [StepReport]) {
        self.reports = reports
    }

    package var problem: String? {
        guard reports.count <= Self.countLimit else {
            return "\(reports.count) steps in one message, at most \(Self.countLimit) are allowed"
        }
        return reports.lazy.compactMap(\.problem).first
    }
}

/// The figures of an evaluation after `step` steps, made of the sums over all workers' parts. The
/// sums themselves, which may be a whole table, stay with the workers.
package struct EvaluationReport: ControlMessageBody {
    /// The most figures that an evaluation may have.
    package static let figureLimit = 1024

    package var step: Int
    package var epoch: Int
    /// How many samples were measured.
    package var sampleCount: Int
    /// The values of the figures that the task's metrics name, in their order.
    package var figures: [Double]
    package var seconds: Double

    package init(step: Int, epoch: Int, sampleCount: Int, figures: [Double], seconds: Double) {
        self.step = step
        self.epoch = epoch
        self.sampleCount = sampleCount
        self.figures = figures
        self.seconds = seconds
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step") ?? ControlMessageBounds.count(epoch, "epoch")
            ?? ControlMessageBounds.count(sampleCount, "sampleCount")
            ?? ControlMessageBounds.length(figures.count, "figures", limit: Self.figureLimit)
            ?? ControlMessageBounds.seconds(seconds, "seconds")
    }
}

/// The worker has done its part: all steps, or those up to a stop.
package struct FinishedReport: ControlMessageBody {
    package var step: Int
    package var epoch: Int
    /// Equal on all workers, or the run fails.
    package var weightsDigest: String
    /// True when the run was stopped before its last step.
    package var stopped: Bool
    package var peakResidentBytes: Int

    package init(
        step: Int, epoch: Int, weightsDigest: String, stopped: Bool, peakResidentBytes: Int
    ) {
        self.step = step
        self.epoch = epoch
        self.weightsDigest = weightsDigest
        self.stopped = stopped
        self.peakResidentBytes = peakResidentBytes
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step") ?? ControlMessageBounds.count(epoch, "epoch")
            ?? ControlMessageBounds.count(peakResidentBytes, "peakResidentBytes")
            ?? ControlMessageBounds.name(weightsDigest, "weightsDigest")
    }
}

/// Why a worker, or the whole run, ends with an exit code other than 0.
package struct FailureReport: ControlMessageBody {
    package var exitCode: ExitCode
    package var message: String

    /// Longer messages are cut to what a frame may carry: a failure is never too long to report.
    package init(exitCode: ExitCode, message: String) {
        self.exitCode = exitCode
        self.message = ControlMessageBounds.clipped(message)
    }

    package var problem: String? {
        ControlMessageBounds.exitCode(exitCode) ?? ControlMessageBounds.text(message, "message")
    }
}
