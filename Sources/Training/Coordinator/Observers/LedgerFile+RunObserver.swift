// The ledger as an observer: it hears of deals and steps.

import Rendezvous
import RunFolders
import WireFormat

extension LedgerFile: RunObserver {
    package func generationOpened(
        _ generation: GenerationDescription
    ) throws(RunFolderError) {
        try open(generation)
    }

    package func dealChanged(_ generation: GenerationDescription) throws(RunFolderError) {
        try open(generation)
    }

    package func stepsReported(_ reports: [StepReport]) throws(RunFolderError) {
        try append(reports)
    }
}
