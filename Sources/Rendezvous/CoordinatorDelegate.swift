// What the coordinator tells the program around it: who takes part, what was measured, which files
// came, how it ended.

import ExitCodes
import Foundation
import Transport
import WireFormat

/// A member of the run.
package struct WorkerDescription: Hashable, Sendable {
    package var rank: Int
    /// Its name for people and in the logs' names; it stays while ranks change.
    package var slot: Int
    package var hostName: String
    package var processID: Int32
    package var arithmetic: String

    package init(
        rank: Int, slot: Int, hostName: String, processID: Int32, arithmetic: String
    ) {
        self.rank = rank
        self.slot = slot
        self.hostName = hostName
        self.processID = processID
        self.arithmetic = arithmetic
    }
}

/// A set of workers that train together.
package struct GenerationDescription: Hashable, Sendable {
    package var number: UInt32
    package var deal: ReplicaDeal
    /// By rank.
    package var workers: [WorkerDescription]
    package var startStep: Int
    package var arithmetic: String
    /// How members that are not at `startStep` get there, and from which rank.
    package var transfer: StateTransfer
    package var root: Int
    /// Whether the root gets its state from the run's last checkpoint.
    package var restores: Bool
    /// Replicas of the coming step that have been computed before and must be once more.
    package var recomputedCount: Int

    package init(
        number: UInt32, deal: ReplicaDeal, workers: [WorkerDescription], startStep: Int,
        arithmetic: String, transfer: StateTransfer = .none, root: Int = 0, restores: Bool = false,
        recomputedCount: Int = 0
    ) {
        self.number = number
        self.deal = deal
        self.workers = workers
        self.startStep = startStep
        self.arithmetic = arithmetic
        self.transfer = transfer
        self.root = root
        self.restores = restores
        self.recomputedCount = recomputedCount
    }
}

/// How a run ended. `peakResidentBytes` of a report is the largest of all workers.
package enum RunOutcome: Hashable, Sendable {
    case finished(FinishedReport)
    case stopped(FinishedReport)
    case failed(exitCode: ExitCode, message: String)
}

/// Told what happens, on the coordinator's thread only. A call that takes long delays the
/// coordinator's heartbeats: it must end well within the heartbeat timeout.
package protocol CoordinatorDelegate: AnyObject {
    func coordinatorListening(at address: SocketAddress)
    func workerJoined(_ worker: WorkerDescription)
    /// To be kept where a coordinator that takes this one's place finds it. A throw stops the run after the
    /// current step, with a checkpoint.
    func journal(_ journal: MembershipJournal) throws
    func generationOpened(_ generation: GenerationDescription)
    /// A throw stops the run after the current step, with a checkpoint.
    func stepsReported(_ reports: [StepReport]) throws
    /// A throw stops the run after the current step, with a checkpoint.
    func evaluationReported(_ report: EvaluationReport) throws
    /// From the step after `startStep` on, the members of the generation compute by another deal. A throw stops
    /// the run after the current step, with a checkpoint.
    func dealChanged(_ generation: GenerationDescription) throws
    /// The outcome is settled; the workers are about to be told.
    func runIsEnding()
    /// All members have the same state and train; `pause` is how long nobody did.
    func generationRunning(_ generation: GenerationDescription, pause: Duration?)
    /// The last checkpoint's files, to go on from when no worker has the state any more; empty at step 0.
    /// A throw fails the run with the error's words.
    func stateToRestore(step: Int) throws -> [(name: String, bytes: Data)]
    /// A throw fails the run with the error's words if the checkpoint is the last one of the run or of a stop,
    /// else the run goes on without it.
    func checkpointReceived(step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]) throws
    func log(_ line: String)
}
