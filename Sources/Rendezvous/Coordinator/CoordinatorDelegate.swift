// What the coordinator reports to the program around it: who takes part, what was measured, which
// files came, how it ended.

import Foundation
import Transport
import WireFormat

/// Learns what happens, on the coordinator's thread only. A call that takes long delays the
/// coordinator's heartbeats: it must end well within the heartbeat timeout.
package protocol CoordinatorDelegate: AnyObject {
    func coordinatorListening(at address: SocketAddress)
    func workerJoined(_ worker: WorkerDescription)
    /// A worker that has joined is gone without having left or reached the run's end. It may come
    /// back.
    func workerLost(_ worker: WorkerDescription)
    /// Keeps the journal where a coordinator that takes over from this one finds it. A throw stops
    /// the run after the current step, with a checkpoint.
    func journal(_ journal: MembershipJournal) throws
    func generationOpened(_ generation: GenerationDescription)
    /// A throw stops the run after the current step, with a checkpoint.
    func stepsReported(_ reports: [StepReport]) throws
    /// A throw stops the run after the current step, with a checkpoint.
    func evaluationReported(_ report: EvaluationReport) throws
    /// From the step after `startStep` on, the members of the generation compute by another deal. A
    /// throw stops the run after the current step, with a checkpoint.
    func dealChanged(_ generation: GenerationDescription) throws
    /// The outcome is settled; the workers are about to learn of it.
    func runIsEnding()
    /// All members have the same state and train; `pause` is how long no step could be made.
    func generationRunning(_ generation: GenerationDescription, pause: Duration?)
    /// The last checkpoint's files, to go on from when no worker has the state any more; empty at
    /// step 0. A throw fails the run with the error's message.
    func stateToRestore(step: Int) throws -> [(name: String, bytes: Data)]
    /// A throw fails the run with the error's message if the checkpoint is the last one of the run
    /// or of a stop, else the run goes on without it.
    func checkpointReceived(step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]) throws
    func log(_ line: String)
}
