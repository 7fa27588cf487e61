// The coordinator's delegate in a training run: it tells the observers what the workers report,
// keeps the checkpoints and the model, and knows what the run comes to. A failure to write stops
// the run. All its methods are called on one thread.

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
package struct ModelMismatch: ExitCoded, CustomStringConvertible {
    package let saved: String
    package let reported: String

    package var exitCode: ExitCode { .failed }

    package init(saved: String, reported: String) {
        self.saved = saved
        self.reported = reported
    }

    package var description: String {
        "the saved model has SHA-256 \(saved.prefix(16))..., but the workers report "
            + "\(reported.prefix(16))...; the run cannot be trusted"
    }
}

/// The checkpoint that the run could go on from is not there any more.
package struct CheckpointGone: ExitCoded, CustomStringConvertible {
    package let step: Int
    package let found: Int?
    package let path: String

    package var exitCode: ExitCode { .data }

    package init(step: Int, found: Int?, path: String) {
        self.step = step
        self.found = found
        self.path = path
    }

    package var description: String {
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
    private let announce: (CoordinatorAnnouncement) -> Void
    private let observers: [any RunObserver]
    private let evaluationAtStart: FigureValues?
    private let store: CheckpointStore
    private var generation: GenerationDescription?
    /// What the state is made with: known from the first generation on, or from where the run goes
    /// on.
    private var arithmetic: String
    private var started: ContinuousClock.Instant?
    private var sampleCount = 0
    /// The last step that the observers know of.
    private var reportedStep: Int
    private var lastEvaluation: EvaluationReport?
    private var savedModelDigest: String?
    /// The first failure to write to the folder's files. The run is stopped for it, not broken off:
    /// the state may still find room.
    private(set) package var writeFailure: RunFolderError?
    private(set) package var lastCheckpointStep: Int?

    /// - Parameter observers: hear of each event in their order.
    package init(
        folder: RunFolder, configuration: RunConfiguration, preflight: RunPreflight,
        start: ResumePoint, takeover: Takeover?, observers: ObserverList,
        announce: @escaping (CoordinatorAnnouncement) -> Void
    ) throws {
        self.folder = folder
        self.configuration = configuration
        self.preflight = preflight
        self.announce = announce
        self.observers = observers.observers
        evaluationAtStart = observers.evaluationAtStart
        configurationDigest = SHA256Digest.hexadecimal(of: configuration.resolvedJSON())
        reportedStep = takeover?.record.reportedStep ?? start.step
        arithmetic = takeover?.journal.arithmetic ?? start.arithmetic ?? ""
        store = CheckpointStore(
            directory: folder.checkpointsPath, keep: configuration.checkpoint.keep)
        try store.prepare()
        if start.step > 0 { lastCheckpointStep = start.step }
    }

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
            ?? (sampleCount == 0 ? evaluationAtStart : nil)
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
        tell { (observer) throws(RunFolderError) in try observer.workerJoined(worker) }
        let text = RunMessages.joined(worker)
        // At the start nobody needs to read of each; the generation opens with all of them.
        if generation == nil { logOnly(text) } else { log(text) }
        announce(.joined(slot: worker.slot))
    }

    package func workerLost(_ worker: WorkerDescription) {
        tell { (observer) throws(RunFolderError) in try observer.workerLost(worker) }
    }

    package func generationOpened(_ generation: GenerationDescription) {
        self.generation = generation
        arithmetic = generation.arithmetic
        if started == nil { started = .now }
        let step = generation.startStep
        if step < reportedStep {
            // The metrics are cut here, the ledger when the generation opens: a coordinator that
            // takes this one's place goes by the metrics, so they must not be ahead of the ledger.
            tell { (observer) throws(RunFolderError) in try observer.wentBack(toStep: step) }
            log(RunMessages.wentBack(from: reportedStep, to: step))
            reportedStep = step
        }
        tell { (observer) throws(RunFolderError) in try observer.generationOpened(generation) }
        logOnly(RunMessages.opened(generation))
    }

    /// Unlike other failures, one to write the journal is not the run's `writeFailure`: the
    /// folder's other files are whole.
    package func journal(_ journal: MembershipJournal) throws {
        for observer in observers where stillHears(observer) {
            try observer.journalChanged(journal)
        }
    }

    package func runIsEnding() {
        tell { (observer) throws(RunFolderError) in try observer.runEnding() }
    }

    /// The run has ended, in whatever way.
    func runEnded(_ outcome: RunOutcome) {
        tell { (observer) throws(RunFolderError) in try observer.runEnded(outcome) }
    }

    package func dealChanged(_ generation: GenerationDescription) throws {
        tell { (observer) throws(RunFolderError) in try observer.dealChanged(generation) }
        log(RunMessages.dealChanged(generation))
        if let writeFailure { throw writeFailure }
    }

    package func generationRunning(_ generation: GenerationDescription, pause: Duration?) {
        tell { (observer) throws(RunFolderError) in
            try observer.generationRunning(generation, pause: pause)
        }
        log(RunMessages.running(generation, pause: pause, threads: configuration.threads))
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
        tell { (observer) throws(RunFolderError) in try observer.stepsReported(reports) }
        if let writeFailure { throw writeFailure }
    }

    package func evaluationReported(_ report: EvaluationReport) throws(RunFolderError) {
        lastEvaluation = report
        tell { (observer) throws(RunFolderError) in try observer.evaluationReported(report) }
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
        let path = "\(folder.checkpointsPath)/\(CheckpointStore.folderName(step))"
        tell { (observer) throws(RunFolderError) in
            try observer.checkpointStored(step: step, path: path)
        }
        logOnly("saved \(path)")
        guard isFinal,
            let model = files.first(where: { $0.name == TrainedModel.modelFileName })
        else { return }
        let arrays = try SafetensorsReader.read(model.bytes, name: model.name).arrays
        savedModelDigest = ModelDigest.hexadecimal(of: arrays)
        try AtomicFile.write(model.bytes, to: folder.modelPath)
    }

    package func log(_ line: String) { log(line, isDetail: false) }

    /// A line that the person who watches does not need.
    package func logOnly(_ line: String) { log(line, isDetail: true) }

    private func log(_ line: String, isDetail: Bool) {
        tell { (observer) throws(RunFolderError) in
            try observer.logged(line, isDetail: isDetail)
        }
    }

    // MARK: - Observers

    private func stillHears(_ observer: any RunObserver) -> Bool {
        writeFailure == nil || observer.outlivesWriteFailure
    }

    /// Tells the observers of an event. After the first failure the rest of the files do not hear
    /// even of this one.
    private func tell(_ event: (any RunObserver) throws(RunFolderError) -> Void) {
        for observer in observers where stillHears(observer) {
            do throws(RunFolderError) {
                try event(observer)
            } catch {
                writeFailure = writeFailure ?? error
            }
        }
    }
}
