// Who watches each run. This is the one place that names all observers.

import Learning
import Configuration
import Rendezvous
import RunFolders

/// The observers of a run, in the order in which they hear of an event.
package struct ObserverList {
    package var observers: [any RunObserver]
    /// The figures after the step at which the run goes on, where they were measured.
    let evaluationAtStart: FigureValues?

    /// Opens the files of a folder that has been prepared.
    ///
    /// - Parameter startStep: the step up to which the folder's files stay as they are.
    package init(
        folder: RunFolder, configuration: RunConfiguration, startStep: Int, takeover: Takeover?,
        display: ProgressDisplay
    ) throws(RunFolderError) {
        let metrics = try MetricsFile(
            folder: folder, metrics: configuration.task.metrics, startStep: startStep)
        evaluationAtStart = metrics.evaluationAtStart
        observers = [
            // The ledger stands before the metrics: a coordinator that takes this one's place goes
            // by the metrics, and cuts the ledger back to them.
            try LedgerFile(
                folder: folder, startStep: startStep,
                generation: takeover.map { LedgerGeneration($0.journal) }),
            metrics,
            try LogFile(folder: folder),
            display,
            JournalFile(folder: folder),
        ]
    }
}
