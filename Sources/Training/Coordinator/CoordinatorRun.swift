// A run as its coordinator leads it: check everything, open the port, make the folder, wait for the
// workers, record, and say how it ended. What is wrong before the port is open leaves nothing behind.

import Foundation
import Kernels
import Rendezvous
import RunConfiguration
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
    case failed(exitCode: Int32, message: String)
}

/// A prepared run. Made and run on one thread; `requestStop` may come from any.
package final class CoordinatorRun: @unchecked Sendable {
    private let options: CoordinatorOptions
    private let recorder: RunRecorder
    private let display: ProgressDisplay
    private let service: CoordinatorService

    /// - Parameters:
    ///   - announce: called with the address once workers may join.
    ///   - write: writes text for the person watching.
    /// - Throws: an error for each way the run cannot be; the folder is then untouched.
    package init(
        _ options: CoordinatorOptions, announce: @escaping (SocketAddress) -> Void,
        write: @escaping (String) -> Void
    ) throws {
        self.options = options
        let configuration = options.configuration.withAbsoluteDataPaths
        let preflight = try RunPreflight(configuration, workerCount: options.workerCount)
        try options.folder.check(options.mode)
        let start =
            options.mode == .resume
            ? try ResumePoint(in: options.folder, for: configuration) : .start
        let listener = try Listener(options.listenAddress)
        try options.folder.prepare(options.mode)

        display = ProgressDisplay(
            .init(
                isTerminal: options.isTerminal, width: options.terminalWidth,
                totalSteps: preflight.totalSteps, stepsPerEpoch: preflight.plan.stepsPerEpoch,
                startStep: start.step, workers: options.workerCount), write: write)
        recorder = try RunRecorder(
            folder: options.folder, configuration: configuration, preflight: preflight,
            startStep: start.step, display: display, announce: announce)
        let communication = configuration.communication
        service = try CoordinatorService(
            listener: listener,
            settings: CoordinatorSettings(
                membership: MembershipSettings(
                    workerCount: options.workerCount, replicaCount: configuration.replicas,
                    productVersion: ProductVersion.current, arithmeticLevels: Arithmetic.levels,
                    requiredArithmetic: start.arithmetic,
                    startTimeout: communication.startTimeout,
                    heartbeatTimeout: communication.timeout, startStep: start.step),
                configurationJSON: String(decoding: configuration.resolvedJSON(), as: UTF8.self),
                heartbeatInterval: communication.heartbeatInterval, resumeState: start.files),
            delegate: recorder)
        describe(configuration, preflight, start)
    }

    /// Asks the workers to finish their step, save and leave. From any thread.
    package func requestStop(reason: String) { service.requestStop(reason: reason) }

    /// Leads the run to its end.
    package func run() -> CoordinatorEnd {
        let outcome = service.run()
        display.clear()
        switch outcome {
        case .finished(let report):
            do {
                let result = try recorder.result(report)
                display.line("done:")
                for row in result.table() { display.line(row) }
                recorder.logOnly("finished at step \(report.step), \(report.weightsDigest)")
                return .finished(result)
            } catch {
                return failed(exitCode: 1, message: "\(error)")
            }
        case .stopped(let report):
            recorder.logOnly("stopped at step \(report.step)")
            return .stopped(step: report.step, checkpointStep: recorder.lastCheckpointStep)
        case .failed(130, let message):
            recorder.logOnly(message)
            return .stopped(step: 0, checkpointStep: recorder.lastCheckpointStep)
        case .failed(let exitCode, let message):
            return failed(exitCode: exitCode, message: message)
        }
    }

    private func failed(exitCode: Int32, message: String) -> CoordinatorEnd {
        recorder.logOnly("failed: \(message)")
        return .failed(exitCode: exitCode, message: message)
    }

    /// The run's header.
    private func describe(
        _ configuration: RunConfiguration, _ preflight: RunPreflight, _ start: ResumePoint
    ) {
        let plan = preflight.plan
        recorder.log(
            "run \(configuration.name) in \(options.folder.path): "
                + "\(preflight.model.scalarCount) parameters, \(preflight.samples)")
        recorder.log(
            "\(preflight.totalSteps) steps of \(plan.globalBatchSize) samples "
                + "(\(configuration.replicas) replicas x \(configuration.accumulation) x "
                + "\(configuration.batchSize)), \(plan.stepsPerEpoch) steps per epoch")
        for warning in start.warnings { recorder.log("warning: skipped a checkpoint: \(warning)") }
        if options.mode == .resume {
            recorder.log(
                start.step > 0
                    ? "resuming after step \(start.step)"
                    : "no checkpoint yet: beginning again from the first step")
        }
    }
}
