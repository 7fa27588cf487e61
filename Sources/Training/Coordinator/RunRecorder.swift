// The coordinator's delegate in a training run: it turns what the workers report into the files of
// the run's folder and the lines on the screen. All its methods are called on one thread.

import RunFolders
import Checkpoints
import ExitCodes
import Foundation
import Rendezvous
import Configuration
import Learning
import Transport
import WireFormat

/// A model that arrived otherwise than it left the worker.
struct ModelMismatch: ExitCoded, CustomStringConvertible {
    let saved: String
    let reported: String

    var exitCode: ExitCode { .failed }

    var description: String {
        "the saved model has SHA-256 \(saved.prefix(16))..., but the workers report "
            + "\(reported.prefix(16))...; the run cannot be trusted"
    }
}

/// The checkpoint that the run could go on from is not there any more.
struct CheckpointGone: ExitCoded, CustomStringConvertible {
    let step: Int
    let found: Int?
    let path: String

    var exitCode: ExitCode { .data }

    var description: String {
        "the checkpoint of step \(step) in \(path) is missing or damaged"
            + (found.map { "; the last whole one is that of step \($0)" } ?? "")
    }
}

/// What a coordinator tells the process that started it while the run goes on.
package enum CoordinatorAnnouncement: Sendable {
    /// Workers may join.
    case listening(SocketAddress)
    case joined(slot: Int)
}

/// Records a run.
package final class RunRecorder: CoordinatorDelegate {
    private let folder: RunFolder
    private let configuration: RunConfiguration
    private let configurationDigest: String
    private let preflight: RunPreflight
    private let display: ProgressDisplay
    private let announce: (CoordinatorAnnouncement) -> Void
    private let metrics: MetricsFile
    private let ledger: LedgerFile
    private let logFile: FileHandle
    private let store: CheckpointStore
    private var generation: GenerationDescription?
    /// What the state is made with: known from the first generation on, or from what the run goes on from.
    private var arithmetic: String
    private var started: ContinuousClock.Instant?
    private var sampleCount = 0
    /// The last step that is in the metrics.
    private var reportedStep = 0
    private var lastEvaluation: EvaluationReport?
    private var savedModelDigest: String?
    /// The first failure to write to the folder's files. The run is stopped for it, not broken off:
    /// the state may still find room.
    private(set) package var writeFailure: RunFolderError?
    private(set) package var lastCheckpointStep: Int?

    /// Opens the files of a folder that has been prepared.
    package init(
        folder: RunFolder, configuration: RunConfiguration, preflight: RunPreflight,
        start: ResumePoint, takeover: Takeover?, display: ProgressDisplay,
        announce: @escaping (CoordinatorAnnouncement) -> Void
    ) throws {
        self.folder = folder
        self.configuration = configuration
        self.preflight = preflight
        self.display = display
        self.announce = announce
        let resolved = configuration.resolvedJSON()
        configurationDigest = SHA256Digest.hexadecimal(of: resolved)
        try AtomicFile.write(resolved, to: folder.configurationPath)
        try DataFingerprint(ofFiles: configuration.task.data.paths)?.write(in: folder)
        try folder.write(preflight.outline.files)
        metrics = try MetricsFile(
            folder: folder, metrics: configuration.task.metrics,
            startStep: takeover?.record.reportedStep ?? start.step)
        reportedStep = takeover?.record.reportedStep ?? start.step
        arithmetic = takeover?.journal.arithmetic ?? start.arithmetic ?? ""
        ledger = try LedgerFile(
            folder: folder, startStep: reportedStep,
            generation: takeover.map { LedgerGeneration($0.journal) })
        do {
            if !FileManager.default.fileExists(atPath: folder.logPath) {
                try Data().write(to: URL(fileURLWithPath: folder.logPath))
            }
            logFile = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.logPath))
            try logFile.seekToEnd()
        } catch {
            throw folder.cannotWrite("log.txt", error)
        }
        store = CheckpointStore(
            directory: folder.checkpointsPath, keep: configuration.checkpoint.keep)
        try store.prepare()
        if start.step > 0 { lastCheckpointStep = start.step }
    }

    deinit { try? logFile.close() }

    /// Whether a step of this process' part of the run was committed.
    var hasSteps: Bool { sampleCount > 0 }

    /// The figures of a finished run.
    ///
    /// - Throws: `ModelMismatch` when the saved model is not the one that the workers have.
    package func result(_ report: FinishedReport) throws -> RunResult {
        if let savedModelDigest, savedModelDigest != report.weightsDigest {
            throw ModelMismatch(saved: savedModelDigest, reported: report.weightsDigest)
        }
        let seconds = started.map { (ContinuousClock.now - $0) / .seconds(1) } ?? 0
        // A run that was complete already is not measured again.
        let evaluation =
            lastEvaluation.flatMap { configuration.task.metrics.figures(computed: $0.figures) }
            ?? (sampleCount == 0 ? metrics.evaluationAtStart : nil)
        return RunResult(
            steps: report.step, epochs: report.epoch, evaluation: evaluation, seconds: seconds,
            samplesPerSecond: Double(sampleCount) / max(seconds, 1e-9),
            workers: generation?.workers.count ?? 0, modelDigest: report.weightsDigest,
            output: folder.path)
    }

    // MARK: - CoordinatorDelegate

    package func coordinatorListening(at address: SocketAddress) {
        logOnly("listening on \(address)")
        do {
            try CoordinatorPlace(address: address).write(in: folder)
        } catch {
            // The run does not need it; whoever asks how it goes will miss it.
            log("warning: \(error)")
        }
        announce(.listening(address))
    }

    package func workerJoined(_ worker: WorkerDescription) {
        let text =
            "worker \(worker.slot) joined: process \(worker.processID) on "
            + "\(worker.hostName), arithmetic \(worker.arithmetic)"
        // At the start nobody needs to read of each; the generation opens with all of them.
        if generation == nil { logOnly(text) } else { log(text) }
        announce(.joined(slot: worker.slot))
    }

    package func generationOpened(_ generation: GenerationDescription) {
        self.generation = generation
        arithmetic = generation.arithmetic
        if started == nil { started = .now }
        if generation.startStep < reportedStep {
            recording { () throws(RunFolderError) in try metrics.rewind(to: generation.startStep) }
            log(
                "going back from step \(reportedStep) to step \(generation.startStep): no worker has"
                    + " a later state")
            reportedStep = generation.startStep
        }
        recording { () throws(RunFolderError) in try ledger.open(generation) }
        logOnly(
            "generation \(generation.number) opened from step \(generation.startStep), transfer of"
                + " \(generation.transfer.rawValue)")
        display.workerCount = generation.workers.count
    }

    package func journal(_ journal: MembershipJournal) throws {
        try journalFile.write(journal)
    }

    package func runIsEnding() { journalFile.remove() }

    /// The run has ended: nobody can take over any more.
    func removeJournal() { journalFile.remove() }

    private var journalFile: JournalFile { JournalFile(folder: folder) }

    package func dealChanged(_ generation: GenerationDescription) throws {
        recording { () throws(RunFolderError) in try ledger.open(generation) }
        let shares = zip(generation.workers, generation.deal.ranges).map { worker, range in
            "worker \(worker.slot) \(range.count)"
        }
        log(
            "replicas follow the workers' speed from step \(generation.startStep): "
                + shares.joined(separator: ", "))
        if let writeFailure { throw writeFailure }
    }

    package func generationRunning(_ generation: GenerationDescription, pause: Duration?) {
        let deal = generation.deal.ranges.map { "\($0.lowerBound)-\($0.upperBound - 1)" }
        let hosts = Set(generation.workers.map(\.hostName)).sorted().joined(separator: ", ")
        let threads = configuration.threads
        var text =
            "generation \(generation.number): \(generation.workers.count) "
            + "worker\(generation.workers.count == 1 ? "" : "s") on \(hosts), "
            + "replicas \(deal.joined(separator: ", ")), from step \(generation.startStep); "
        if let pause {
            text += "paused for \(ProgressText.fixed(pause / .seconds(1), 2)) s"
            if generation.recomputedCount > 0 {
                text += ", \(generation.recomputedCount) replicas computed again"
            }
        } else {
            text += "OpenBLAS \(arithmetic), \(threads) thread\(threads == 1 ? "" : "s") per worker"
        }
        log(text)
    }

    package func stateToRestore(step: Int) throws -> [(name: String, bytes: Data)] {
        let (found, skipped) = try store.latestComplete()
        for problem in skipped { log("warning: skipped a checkpoint: \(problem)") }
        guard let found, found.description.step == step else {
            throw CheckpointGone(
                step: step, found: found?.description.step, path: folder.checkpointsPath)
        }
        return found.files
    }

    package func stepsReported(_ reports: [StepReport]) throws(RunFolderError) {
        sampleCount += reports.reduce(0) { $0 + $1.sampleCount }
        reportedStep = reports.last?.step ?? reportedStep
        recording { () throws(RunFolderError) in
            // First the ledger: a coordinator that takes this one's place goes by the metrics, and cuts
            // the ledger back to them.
            try ledger.append(reports)
            try metrics.append(
                reports, workers: generation?.workers.count ?? 0,
                generation: generation?.number ?? 0)
        }
        display.show(reports, now: .now)
        if let writeFailure { throw writeFailure }
    }

    package func evaluationReported(_ report: EvaluationReport) throws(RunFolderError) {
        lastEvaluation = report
        recording { () throws(RunFolderError) in
            try metrics.append(
                report, workers: generation?.workers.count ?? 0,
                generation: generation?.number ?? 0)
        }
        display.show(report)
        if let writeFailure { throw writeFailure }
    }

    package func checkpointReceived(
        step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]
    ) throws {
        try store.write(
            CheckpointDescription(
                step: step, epoch: step / preflight.plan.stepsPerEpoch, seed: configuration.seed,
                configurationDigest: configurationDigest, arithmetic: arithmetic),
            files: files)
        lastCheckpointStep = step
        logOnly("saved \(folder.checkpointsPath)/\(CheckpointStore.folderName(step))")
        guard isFinal,
            let model = files.first(where: { $0.name == TrainedModel.modelFileName })
        else { return }
        let arrays = try SafetensorsReader.read(model.bytes, name: model.name).arrays
        savedModelDigest = ModelDigest.hexadecimal(of: arrays)
        try AtomicFile.write(model.bytes, to: folder.modelPath)
    }

    package func log(_ line: String) {
        display.line(line)
        logOnly(line)
    }

    // MARK: - Files

    /// Writes to log.txt alone.
    package func logOnly(_ line: String) {
        let time = Date().formatted(.iso8601)
        recording { () throws(RunFolderError) in
            do {
                try logFile.write(contentsOf: Data("\(time) \(line)\n".utf8))
            } catch {
                throw folder.cannotWrite("log.txt", error)
            }
        }
    }

    /// Nothing more is written after a failure: a later line behind a torn one would be lost too.
    private func recording(_ body: () throws(RunFolderError) -> Void) {
        guard writeFailure == nil else { return }
        do throws(RunFolderError) {
            try body()
        } catch {
            writeFailure = error
        }
    }
}
