// journal.json: who takes part in the open generation, for a coordinator that takes the place of
// one that died. It is there while a run is led, and gone when it has ended in order.

import Checkpoints
import Foundation
import Kernels
import Learning
import RunFolders
import Rendezvous
import WireFormat

/// What a coordinator that takes another's place knows of it.
package typealias Takeover = (journal: MembershipJournal, record: RecordPosition)

/// The journal in a run's folder.
final class JournalFile: RunObserver {
    private let folder: RunFolder

    init(folder: RunFolder) { self.folder = folder }

    private var path: String { "\(folder.path)/journal.json" }

    /// While a run that cannot write other files makes its last step and saves, a coordinator may
    /// still have to take over.
    var outlivesWriteFailure: Bool { true }

    func journalChanged(_ journal: MembershipJournal) throws(RunFolderError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            try AtomicFile.write(try encoder.encode(journal), to: path)
        } catch {
            throw folder.cannotWrite("journal.json", error)
        }
    }

    /// Nil when there is none, or none that can be used: the run is then resumed from its
    /// checkpoint.
    private func read(replicaCount: Int) -> MembershipJournal? {
        guard let bytes = FileManager.default.contents(atPath: path),
            let journal = try? JSONDecoder().decode(MembershipJournal.self, from: bytes),
            journal.problem(replicaCount: replicaCount, arithmeticLevels: Arithmetic.levels) == nil
        else { return nil }
        return journal
    }

    /// The generation that the folder's last coordinator has left behind; `start` is the checkpoint
    /// to go back to if none of its workers is there any more.
    func takeover(
        metrics: Metrics, start: ResumePoint, replicaCount: Int
    ) -> Takeover? {
        guard let journal = read(replicaCount: replicaCount) else { return nil }
        let recorded = MetricsFile.recorded(in: folder, metrics: metrics)
        return (
            journal,
            RecordPosition(
                reportedStep: recorded.step, evaluatedStep: recorded.evaluatedStep,
                checkpointStep: start.step)
        )
    }

    func runEnding() { remove() }

    /// Nobody can take over any more.
    func runEnded(_ outcome: RunOutcome) { remove() }

    private func remove() { try? FileManager.default.removeItem(atPath: path) }
}
