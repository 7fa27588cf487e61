// A run as its coordinator leads it: check everything, open the port, make the folder, wait for the
// workers, record, and say how it ended. What is wrong before the port is open leaves nothing
// behind.

import ExitCodes
import RunFolders
import Foundation
import Kernels
import Rendezvous
import Configuration
import Learning
import Transport
import WireFormat

/// What a run's coordinator is started with.
package struct CoordinatorOptions: Sendable {
    package var configuration: RunConfiguration
    package var folder: RunFolder
    package var mode: RunFolder.Mode
    package var workerCount: Int
    package var listenAddress: SocketAddress
    /// Whether standard error is a terminal, and its width.
    package var isTerminal: Bool
    package var terminalWidth: Int

    package init(
        configuration: RunConfiguration, folder: RunFolder, mode: RunFolder.Mode,
        workerCount: Int, listenAddress: SocketAddress, isTerminal: Bool, terminalWidth: Int
    ) {
        self.configuration = configuration
        self.folder = folder
        self.mode = mode
        self.workerCount = workerCount
        self.listenAddress = listenAddress
        self.isTerminal = isTerminal
        self.terminalWidth = terminalWidth
    }
}

/// How a run ended, for the process that led it.
package enum CoordinatorEnd: Sendable {
    case finished(RunResult)
    /// Stopped on request; `checkpointStep` is where `--resume` goes on, nil if nothing was saved.
    case stopped(step: Int, checkpointStep: Int?)
    case failed(exitCode: ExitCode, message: String)
}

/// What a run that never began has made and takes back: all that it put into a folder which was
/// empty or missing before.
private struct Leavings {
    private let folder: RunFolder
    private let taskFiles: [String]
    private let isOwn: Bool
    private let existedBefore: Bool

    /// To be made before the folder is prepared.
    init(_ options: CoordinatorOptions, taskFiles: [String]) {
        folder = options.folder
        self.taskFiles = taskFiles
        isOwn = options.mode == .begin
        existedBefore = FileManager.default.fileExists(atPath: options.folder.path)
    }

    func remove() {
        if isOwn { folder.remove(includingFolder: !existedBefore, taskFiles: taskFiles) }
    }
}

/// A prepared run. Made and run on one thread; `requestStop` may come from any.
package final class CoordinatorRun: @unchecked Sendable {
    private let options: CoordinatorOptions
    private let recorder: RunRecorder
    private let display: ProgressDisplay
    private let service: CoordinatorService
    private let leavings: Leavings
    private let lock: RunFolderLock?

    /// - Parameters:
    ///   - announce: called with the address once workers may join, and for each that has joined.
    ///   - write: writes text for the person watching.
    /// - Throws: an error for each way the run cannot be; the folder is then untouched.
    package init(
        _ options: CoordinatorOptions, tasks: TaskList,
        announce: @escaping (CoordinatorAnnouncement) -> Void,
        write: @escaping (String) -> Void
    ) throws {
        self.options = options
        let configuration = options.configuration.withAbsoluteDataPaths
        let preflight = try RunPreflight(configuration, workerCount: options.workerCount)
        try options.folder.check(options.mode)
        // Nothing is read of a run that another process is writing, and nothing of it is removed.
        let isThere = FileManager.default.fileExists(atPath: options.folder.path)
        var lock = isThere ? try RunFolderLock(options.folder) : nil
        let start =
            options.mode == .resume
            ? try ResumePoint(
                in: options.folder, for: configuration, plan: preflight.plan, tasks: tasks)
            : .start
        if start.step > 0 { try options.folder.check(preflight.outline.files) }
        let listener = try Listener(options.listenAddress)
        leavings = Leavings(options, taskFiles: tasks.fileNames)
        try options.folder.prepare(options.mode, taskFiles: tasks.fileNames)
        if lock == nil { lock = try RunFolderLock(options.folder) }
        self.lock = lock

        let takeover =
            options.mode == .resume
            ? JournalFile(folder: options.folder).takeover(
                metrics: configuration.task.metrics, start: start,
                replicaCount: configuration.replicas) : nil
        display = ProgressDisplay(
            .init(
                isTerminal: options.isTerminal, width: options.terminalWidth,
                totalSteps: preflight.totalSteps, stepsPerEpoch: preflight.plan.stepsPerEpoch,
                startStep: takeover?.record.reportedStep ?? start.step,
                workers: options.workerCount,
                metrics: configuration.task.metrics), write: write)
        do {
            try options.folder.describe(configuration, preflight.outline)
            let observers = try ObserverList(
                folder: options.folder, configuration: configuration,
                startStep: takeover?.record.reportedStep ?? start.step, takeover: takeover,
                display: display)
            recorder = try RunRecorder(
                folder: options.folder, configuration: configuration, preflight: preflight,
                start: start, takeover: takeover, observers: observers, announce: announce)
        } catch {
            leavings.remove()
            throw error
        }
        service = try CoordinatorService(
            listener: listener,
            settings: Self.settings(
                configuration, workerCount: options.workerCount,
                totalSteps: preflight.totalSteps, start: start, takeover: takeover),
            delegate: recorder)
        describe(configuration, preflight, start, isTakeover: takeover != nil)
    }

    private static func settings(
        _ configuration: RunConfiguration, workerCount: Int, totalSteps: Int, start: ResumePoint,
        takeover: Takeover?
    ) -> CoordinatorSettings {
        let communication = configuration.communication
        return CoordinatorSettings(
            membership: MembershipSettings(
                workerCount: workerCount, replicaCount: configuration.replicas,
                productVersion: ProductVersion.current, arithmeticLevels: Arithmetic.levels,
                requiredArithmetic: start.arithmetic ?? takeover?.journal.arithmetic,
                startTimeout: communication.startTimeout,
                heartbeatTimeout: communication.silenceTimeout,
                haltTimeout: communication.timeout, startStep: start.step),
            configurationJSON: String(decoding: configuration.resolvedJSON(), as: UTF8.self),
            runToken: takeover?.journal.runToken ?? CoordinatorSettings.randomToken(),
            heartbeatInterval: communication.heartbeatInterval,
            coordinatorTimeout: communication.timeout, takeover: takeover,
            resumeState: start.files, runName: configuration.name, totalSteps: totalSteps)
    }

    /// Asks the workers to finish their step, save and leave. From any thread.
    package func requestStop(reason: String) { service.requestStop(reason: reason) }

    /// Leads the run to its end.
    package func run() -> CoordinatorEnd {
        let outcome = service.run()
        recorder.runEnded(outcome)
        CoordinatorPlace.remove(in: options.folder)
        switch outcome {
        case .finished(let report):
            do {
                let result = try recorder.result(report)
                display.line("done:")
                for row in result.table() { display.line(row) }
                recorder.logOnly("finished at step \(report.step), \(report.weightsDigest)")
                if let failure = recorder.writeFailure {
                    return failed(
                        exitCode: .failed, message: "\(failure); the model itself is complete")
                }
                return .finished(result)
            } catch {
                return failed(exitCode: .failed, message: "\(error)")
            }
        case .stopped(let report):
            recorder.logOnly("stopped at step \(report.step)")
            if let failure = recorder.writeFailure { return failed(because: failure) }
            return .stopped(step: report.step, checkpointStep: recorder.lastCheckpointStep)
        case .failed(.interrupted, let message):
            recorder.logOnly(message)
            return .stopped(step: 0, checkpointStep: recorder.lastCheckpointStep)
        case .failed(let exitCode, let message):
            // What a configuration or a data file makes impossible never was a run. After other
            // failures the workers' logs are wanted.
            if [.usage, .data].contains(exitCode), !recorder.hasSteps { leavings.remove() }
            return failed(exitCode: exitCode, message: message)
        }
    }

    /// The run was stopped because its folder's files could not be written.
    private func failed(because failure: RunFolderError) -> CoordinatorEnd {
        let saved =
            recorder.lastCheckpointStep.map {
                "step \($0) is saved; make room and go on with --resume"
            } ?? "nothing is saved"
        return failed(exitCode: .failed, message: "\(failure); \(saved)")
    }

    private func failed(exitCode: ExitCode, message: String) -> CoordinatorEnd {
        recorder.logOnly("failed: \(message)")
        return .failed(exitCode: exitCode, message: message)
    }

    /// The run's header.
    private func describe(
        _ configuration: RunConfiguration, _ preflight: RunPreflight, _ start: ResumePoint,
        isTakeover: Bool
    ) {
        let plan = preflight.plan
        recorder.log(
            "run \(configuration.name) in \(options.folder.path): "
                + "\(preflight.model.scalarCount) parameters, \(preflight.samples)")
        let parts = preflight.model.layers.filter { $0.scalarCount > 0 }
            .map { "\($0.name) \($0.scalarCount)" }.joined(separator: ", ")
        // A list of layers is in the configuration; what a named architecture consists of is not.
        if preflight.model.isListed { recorder.logOnly(parts) } else { recorder.log(parts) }
        recorder.log(
            "\(preflight.totalSteps) steps of \(plan.globalBatchSize) samples "
                + "(\(configuration.replicas) replicas x \(configuration.accumulation) x "
                + "\(configuration.batchSize)), \(plan.stepsPerEpoch) steps per epoch")
        for warning in start.warnings { recorder.log("warning: \(warning)") }
        if isTakeover {
            recorder.log("taking the place of a coordinator that is gone; waiting for its workers")
        } else if options.mode == .resume {
            recorder.log(
                start.step > 0
                    ? "resuming after step \(start.step)"
                    : "no checkpoint yet: beginning again from the first step")
        }
    }
}
