// The audit of a run's folder: the plan from config.json and the data, the ledger, the final model.

import RunFolders
import Checkpoints
import Datasets
import ExitCodes
import Foundation
import Configuration
import Learning

/// A run's folder without a ledger.
package struct LedgerMissing: ExitCoded, CustomStringConvertible {
    let path: String

    package var exitCode: ExitCode { .failed }

    package init(path: String) {
        self.path = path
    }

    package var description: String {
        "\(path) cannot be read; runs of this version write it from their first step on"
    }
}

extension LedgerAudit {
    /// Audits the run in a folder, which may be under way.
    ///
    /// - Throws: `ConfigurationError`, `DataError`, `LedgerMissing` or `CheckpointError`.
    package static func report(of folder: RunFolder, tasks: TaskList) throws -> AuditReport {
        let configuration = try RunConfiguration.load(path: folder.configurationPath, tasks: tasks)
        let preflight = try RunPreflight(configuration, workerCount: 1)
        let plan = preflight.plan
        guard let ledger = FileManager.default.contents(atPath: folder.ledgerPath) else {
            throw LedgerMissing(path: folder.ledgerPath)
        }
        // Pairs of similar length may be moved together within the epoch; positions are what counts
        // here.
        var audit = LedgerAudit(plan: plan, totalSteps: preflight.totalSteps) { epoch in
            SampleOrder(seed: configuration.seed, epoch: epoch, sampleCount: plan.sampleCount)
                .samples
        }
        audit.take(ledger: ledger)
        if !DataFingerprint.isUnchanged(configuration.task.data.paths, in: folder) {
            audit.noteOtherData()
        }
        return audit.finish(finishedStep: try finishedStep(in: folder))
    }

    /// The step that the final model names.
    private static func finishedStep(in folder: RunFolder) throws -> Int? {
        guard FileManager.default.fileExists(atPath: folder.modelPath) else { return nil }
        let model = try SafetensorsReader.read(path: folder.modelPath)
        return model.metadata["step"].flatMap { Int($0) }
    }
}
