// What watches a run: the files of its folder, the screen, and whatever else is to show how it
// goes. An observer is a file in this folder and a line in ObserverList. It hears of events and
// changes nothing in the run, but for one thing: where it cannot write, it throws, and the run is
// stopped.

import Rendezvous
import RunFolders
import WireFormat

/// Hears of a run's events, on the coordinator's thread only. A call that takes long delays the
/// coordinator's heartbeats: it must end well within the heartbeat timeout. All methods do nothing
/// unless an observer says otherwise.
package protocol RunObserver: AnyObject {
    /// Whether it hears of events even after an observer could not write. Files do not: a later
    /// line behind a torn one would be lost too.
    var outlivesWriteFailure: Bool { get }

    func workerJoined(_ worker: WorkerDescription) throws(RunFolderError)
    /// The worker is gone without having said so. It may come back.
    func workerLost(_ worker: WorkerDescription) throws(RunFolderError)
    /// The steps after this one will be computed and reported once more, in a generation that opens
    /// next: no worker has kept a later state.
    func wentBack(toStep step: Int) throws(RunFolderError)
    /// A generation has its members; none of its steps was reported yet.
    func generationOpened(_ generation: GenerationDescription) throws(RunFolderError)
    /// All members have the same state and train; `pause` is how long no step could be made.
    func generationRunning(
        _ generation: GenerationDescription, pause: Duration?
    ) throws(RunFolderError)
    /// From the step after `startStep` on, the members of the generation compute by another deal.
    func dealChanged(_ generation: GenerationDescription) throws(RunFolderError)
    /// What a coordinator that takes this one's place must know. A throw stops the run after the
    /// current step, but is no failure of the files.
    func journalChanged(_ journal: MembershipJournal) throws(RunFolderError)
    /// Steps that were committed, in order.
    func stepsReported(_ reports: [StepReport]) throws(RunFolderError)
    func evaluationReported(_ report: EvaluationReport) throws(RunFolderError)
    /// The checkpoint of a step is complete at `path`.
    func checkpointStored(step: Int, path: String) throws(RunFolderError)
    /// A line for people; one that is a detail is not shown to the person who watches.
    func logged(_ line: String, isDetail: Bool) throws(RunFolderError)
    /// The outcome is settled; the workers are about to learn of it.
    func runEnding() throws(RunFolderError)
    /// No worker is left. Lines that say how the run ended may follow.
    func runEnded(_ outcome: RunOutcome) throws(RunFolderError)
}

extension RunObserver {
    package var outlivesWriteFailure: Bool { false }

    package func workerJoined(_ worker: WorkerDescription) {}
    package func workerLost(_ worker: WorkerDescription) {}
    package func wentBack(toStep step: Int) {}
    package func generationOpened(_ generation: GenerationDescription) {}
    package func generationRunning(_ generation: GenerationDescription, pause: Duration?) {}
    package func dealChanged(_ generation: GenerationDescription) {}
    package func journalChanged(_ journal: MembershipJournal) {}
    package func stepsReported(_ reports: [StepReport]) {}
    package func evaluationReported(_ report: EvaluationReport) {}
    package func checkpointStored(step: Int, path: String) {}
    package func logged(_ line: String, isDetail: Bool) {}
    package func runEnding() {}
    package func runEnded(_ outcome: RunOutcome) {}
}
