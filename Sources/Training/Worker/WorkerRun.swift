import Checkpoints
import Collectives
import DataParallel
import Datasets
import Foundation
import Kernels
import Models
import Rendezvous
import RunConfiguration
import Tensors
import Transport
import WireFormat

// A worker's life: join, read the data, take a place in a generation, train, end. Everything it needs to know
// comes from the coordinator.

/// What the command line tells a worker.
package struct WorkerOptions: Sendable {
    package var coordinator: SocketAddress
    /// The rank asked for, so that log names and ranks agree; nil takes the first free rank.
    package var slot: Int?
    /// Workers of another version are refused by the coordinator.
    package var productVersion: String
    /// Lines for the worker's log.
    package var log: @Sendable (String) -> Void

    package init(
        coordinator: SocketAddress, slot: Int?, productVersion: String,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.coordinator = coordinator
        self.slot = slot
        self.productVersion = productVersion
        self.log = log
    }
}

/// A worker that ends with an exit code other than 0.
package struct WorkerFailure: Error, CustomStringConvertible {
    package let exitCode: Int32
    package let message: String
    package var description: String { message }
}

/// One worker process.
package final class WorkerRun {
    private static let joinTimeout = Duration.seconds(20)
    /// The coordinator ends the wait for the others by its own start deadline; this is the bound behind it.
    private static let assignmentTimeout = Duration.seconds(86_400 + 60)
    /// Longer than the coordinator waits itself before it names the culprit.
    private static let verdictTimeout = Duration.seconds(3)
    private static let ringTimeout = Duration.seconds(30)
    /// The coordinator writes the last checkpoint before it ends the run.
    private static let endTimeout = Duration.seconds(600)

    private let options: WorkerOptions
    private let parts: ProgramParts

    private init(_ options: WorkerOptions, _ parts: ProgramParts) {
        self.options = options
        self.parts = parts
    }

    /// Joins the coordinator, trains to the end of the run and returns the exit code.
    package static func run(options: WorkerOptions, parts: ProgramParts = .none) -> Int32 {
        do {
            try WorkerRun(options, parts).run()
            return 0
        } catch let failure as WorkerFailure {
            options.log("error: \(failure.message)")
            return failure.exitCode
        } catch {
            options.log("error: \(words(error))")
            return exitCode(of: error)
        }
    }

    /// 3 data, 4 peers, 2 configuration, 1 anything else.
    private static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case is DataError: 3
        case is CollectiveError, is TransportError: 4
        case StepError.collective: 4
        case let error as RendezvousError: error.exitCode
        case is ConfigurationError, is ModelError, is ParameterGroupError: 2
        default: 1
        }
    }

    private func run() throws {
        try ProcessArithmetic.ensure(level: ProcessArithmetic.wanted, threads: nil)
        MemoryPool.returnLargeSystemBlocks()
        let listener = try DataListener(coordinator: options.coordinator)
        defer { listener.close() }
        do {
            let client = try join(dataPort: listener.port)
            defer { client.close() }
            do {
                try train(client: client, listener: listener)
            } catch {
                if !Self.isRestart(error) {
                    client.sendFailed(
                        exitCode: Self.exitCode(of: error), message: Self.words(error))
                }
                throw cause(of: error, client)
            }
        } catch let error as RendezvousError {
            // The run's arithmetic is another one: start anew with it. Does not return on success.
            if case .restart(let arithmetic) = error.code {
                options.log("starting anew with \(arithmetic) arithmetic, which all workers have")
                try ProcessArithmetic.restart(level: arithmetic, threads: nil)
            }
            throw error
        }
    }

    private static func isRestart(_ error: any Error) -> Bool {
        guard let error = error as? RendezvousError, case .restart = error.code else {
            return false
        }
        return true
    }

    /// A broken ring is a symptom: why it broke, the coordinator knows and says in a moment, unless it is
    /// itself what was lost.
    private func cause(of error: any Error, _ client: WorkerControlClient) -> any Error {
        switch error {
        case is CollectiveError, StepError.collective:
            let loss = client.awaitLoss(deadline: .after(Self.verdictTimeout))
            guard let loss, loss.code != .closed else { return error }
            return loss
        default:
            return error
        }
    }

    package static func words(_ error: any Error) -> String {
        switch error {
        case StepError.collective(let error): "\(error)"
        case StepError.diverged(let step, let lossSum):
            "the loss became \(lossSum.isNaN ? "nan" : "\(lossSum)") at step \(step + 1); lower optimizer.learningRate or warm up"
                + " for longer"
        default: "\(error)"
        }
    }

    private func join(dataPort: Int) throws -> WorkerControlClient {
        let hello = WorkerHello(
            productVersion: options.productVersion,
            hostName: ProcessInfo.processInfo.hostName,
            processID: ProcessInfo.processInfo.processIdentifier, slot: options.slot,
            dataPort: dataPort, arithmetic: ProcessArithmetic.wanted, token: nil)
        return try WorkerControlClient.join(
            coordinator: options.coordinator, hello: hello, deadline: .after(Self.joinTimeout)
        ) { options.log("waiting for the coordinator at \(options.coordinator)") }
    }

    private func train(client: WorkerControlClient, listener: DataListener) throws {
        client.setProgress(step: 0, phase: "data")
        let configuration = try RunConfiguration.parse(
            Data(client.description.configurationJSON.utf8),
            origin: "the coordinator's configuration")
        Arithmetic.setThreadCount(configuration.threads)
        let task = try configuration.loadTask(parts)
        let totalSteps = configuration.totalSteps(task.plan)
        let model = try TrainedModel(
            configuration, input: task.input, outputs: task.outputCount,
            stepsPerEpoch: task.plan.stepsPerEpoch, totalSteps: totalSteps, parts: parts)
        let assignment = try client.awaitAssignment(deadline: .after(Self.assignmentTimeout))
        let group = try connect(assignment, client, listener, configuration.communication)
        defer { group.close() }
        // A lost coordinator, or its abort, ends a wait in the ring.
        client.onConnectionLost { _ in group.shutdown() }
        try loadState(assignment, client, model, group)
        logHeader(assignment, model, configuration)
        try client.sendReady(
            ReadyReport(
                generation: assignment.generation, step: model.step,
                weightsDigest: model.weightsDigest))
        let loop = TrainingLoop(
            configuration: configuration, task: task, model: model, group: group, client: client)
        let lastStep = min(totalSteps, assignment.stopAfterStep ?? totalSteps)
        do {
            defer { loop.close() }
            let end = try shuttingDown(group) { try loop.run(lastStep: lastStep) }
            try loop.uploadCheckpoint(isFinal: !end.stopped)
            try client.sendFinished(
                FinishedReport(
                    step: end.step, epoch: task.plan.epoch(ofStep: max(0, end.step - 1)) + 1,
                    weightsDigest: model.weightsDigest, stopped: end.stopped,
                    peakResidentBytes: ProcessArithmetic.peakResidentByteCount))
        }
        try client.awaitEnd(deadline: .after(Self.endTimeout))
        options.log("done after \(model.step) steps")
    }

    /// A failing body must not leave the reducing thread waiting in the ring.
    private func shuttingDown<Result>(
        _ group: ProcessGroup, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch {
            group.shutdown()
            throw error
        }
    }

    private func connect(
        _ assignment: Assignment, _ client: WorkerControlClient, _ listener: DataListener,
        _ communication: CommunicationConfiguration
    ) throws -> ProcessGroup {
        client.setProgress(step: assignment.startStep, phase: "connecting")
        let addresses = try assignment.addresses.map { try SocketAddress.parse($0) }
        let interrupt = try WakeSignal()
        client.onConnectionLost { _ in interrupt.signal() }
        return try RingConnector.connect(
            rank: assignment.rank, generation: assignment.generation,
            token: client.description.runToken, deal: assignment.deal, addresses: addresses,
            listener: try listener.opened(for: addresses), timeout: communication.timeout,
            deadline: .after(Self.ringTimeout), segmentByteCount: communication.segmentByteCount,
            interrupt: interrupt, add: ringAddition)
    }

    /// Rank 0 gets the state to resume from and broadcasts it; a fresh run begins with the seed's weights.
    private func loadState(
        _ assignment: Assignment, _ client: WorkerControlClient, _ model: TrainedModel,
        _ group: ProcessGroup
    ) throws {
        // `stateFollows` is for rank 0 alone; the others learn from the step that a state will come.
        guard assignment.startStep > 0 else { return }
        let step = assignment.startStep
        if assignment.rank == 0 {
            let files = try client.awaitState(deadline: .after(Self.endTimeout))
            func file(_ name: String) throws -> SafetensorsFile {
                guard let bytes = files.first(where: { $0.name == name })?.bytes else {
                    throw StateMismatch(file: name, problem: "is missing in the checkpoint")
                }
                return try SafetensorsReader.read(bytes, name: name)
            }
            try model.load(
                model: try file(TrainedModel.modelFileName),
                optimizer: try file(TrainedModel.optimizerFileName), step: step)
        }
        for flat in model.replicatedState {
            try group.broadcast(
                step: UInt64(step), root: 0,
                buffer: UnsafeMutableRawBufferPointer(
                    start: flat.pointer, count: flat.count * MemoryLayout<Float>.stride))
        }
        model.step = step
    }

    private func logHeader(
        _ assignment: Assignment, _ model: TrainedModel, _ configuration: RunConfiguration
    ) {
        let replicas = assignment.deal.ranges[assignment.rank]
        options.log(
            "rank \(assignment.rank) of \(assignment.worldSize), generation"
                + " \(assignment.generation), replicas \(replicas.lowerBound)-\(replicas.upperBound - 1)"
                + " of \(configuration.replicas), \(model.store.scalarCount) parameters; OpenBLAS"
                + " \(Arithmetic.loadedCoreType), \(Arithmetic.threadCount)"
                + " thread\(Arithmetic.threadCount == 1 ? "" : "s")")
    }
}
