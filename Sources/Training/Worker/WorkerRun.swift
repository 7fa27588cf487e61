import Checkpoints
import Collectives
import DataParallel
import Datasets
import ExitCodes
import Foundation
import Kernels
import Models
import Rendezvous
import Configuration
import Learning
import Tensors
import Transport
import WireFormat

// A worker's life: join, read the data, take part in one generation after another, end. Everything
// it needs to know comes from the coordinator.

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
package struct WorkerFailure: ExitCoded, CustomStringConvertible {
    package let exitCode: ExitCode
    package let message: String
    package var description: String { message }

    package init(exitCode: ExitCode, message: String) {
        self.exitCode = exitCode
        self.message = message
    }
}

/// One worker process.
package final class WorkerRun {
    private static let joinTimeout = Duration.seconds(20)
    /// The coordinator ends the wait for the others by its own start deadline; this is the bound
    /// behind it.
    private static let assignmentTimeout = Duration.seconds(86_400 + 60)
    /// A neighbour that cannot be reached for so long is reported.
    private static let ringTimeout = Duration.seconds(5)
    private static let trailPrefix = "before: "

    private let options: WorkerOptions
    private let tasks: TaskList
    private let leave: LeaveSwitch

    /// - Parameters:
    ///   - tasks: those that this program knows.
    ///   - leave: by which the worker can be asked to leave the run.
    package init(
        _ options: WorkerOptions, tasks: TaskList, leave: LeaveSwitch = LeaveSwitch()
    ) {
        self.options = options
        self.tasks = tasks
        self.leave = leave
    }

    /// Joins the coordinator, trains to the end of the run and returns the exit code.
    package func run() -> ExitCode {
        do {
            try work()
            return .done
        } catch {
            options.log("error: \(Self.words(error))")
            return ExitCode(of: error)
        }
    }

    private func work() throws {
        try ProcessArithmetic.ensure(level: ProcessArithmetic.wanted, threads: nil)
        MemoryPool.returnLargeSystemBlocks()
        let listener = try DataListener(coordinator: options.coordinator)
        defer { listener.close() }
        do {
            let ring = RingSwitch()
            let link = try join(dataPort: listener.port, ring)
            defer { link.close() }
            do {
                try train(link, listener, ring)
            } catch {
                if !Self.isRestart(error) {
                    // Before the failure itself, which is the last line of the log.
                    for line in link.trail.lines() { options.log("\(Self.trailPrefix)\(line)") }
                    link.sendFailure(
                        exitCode: ExitCode(of: error), message: Self.words(error))
                }
                throw error
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

    package static func words(_ error: any Error) -> String {
        switch error {
        case StepError.collective(let error): "\(error)"
        case StepError.diverged(let step, let lossSum):
            "the loss became \(lossSum.isNaN ? "nan" : "\(lossSum)") at step \(step + 1); lower optimizer.learningRate or warm up"
                + " for longer"
        default: "\(error)"
        }
    }

    private func join(dataPort: Int, _ ring: RingSwitch) throws -> CoordinatorLink {
        let key = UUID().uuidString
        let options = options
        return try CoordinatorLink(
            coordinator: options.coordinator, ring: ring, deadline: .after(Self.joinTimeout),
            hello: { standing in
                WorkerHello(
                    productVersion: options.productVersion,
                    hostName: ProcessInfo.processInfo.hostName,
                    processID: ProcessInfo.processInfo.processIdentifier, slot: options.slot,
                    dataPort: dataPort, arithmetic: ProcessArithmetic.wanted,
                    highestArithmetic: ProcessArithmetic.highest, token: nil,
                    key: key, standing: standing)
            }, log: options.log)
    }

    private func train(
        _ link: CoordinatorLink, _ listener: DataListener, _ ring: RingSwitch
    ) throws {
        link.setProgress(step: 0, phase: "data")
        let configuration = try RunConfiguration.parse(
            Data(link.description.configurationJSON.utf8),
            origin: "the coordinator's configuration", tasks: tasks)
        link.setPatience(configuration.communication.coordinatorTimeout)
        Arithmetic.setThreadCount(configuration.threads)
        func makeLoop() throws -> TrainingLoop {
            try TrainingLoop(
                configuration: configuration,
                task: try configuration.task.load(configuration.context), link: link)
        }
        var loop = try makeLoop()
        let totalSteps = loop.totalSteps
        link.send(.prepared, kept: true)
        leave.connect(link)
        while true {
            link.setProgress(step: loop.step, phase: "waiting")
            switch try link.awaitNext(deadline: .after(Self.assignmentTimeout)) {
            case .end:
                options.log("done after \(loop.step) steps")
                return
            case .assignment(let assignment):
                let place = RingPlace(
                    assignment: assignment, link: link, listener: listener, ring: ring,
                    communication: configuration.communication)
                // Rare enough to read the data again.
                if loop.isBehind(assignment) { loop = try makeLoop() }
                let lastStep = min(totalSteps, assignment.stopAfterStep ?? totalSteps)
                if let halt = try takePart(in: place, loop, lastStep: lastStep) {
                    if let cause = halt.cause { options.log("left the ring: \(cause)") }
                    link.send(.halted(halt), kept: true)
                }
            }
        }
    }

    /// Where a worker stands in a generation, and by what it gets there.
    private struct RingPlace {
        let assignment: Assignment
        let link: CoordinatorLink
        let listener: DataListener
        let ring: RingSwitch
        let communication: CommunicationConfiguration
    }

    /// One generation; nil when this worker has done its part of the run, else what it leaves the
    /// ring with.
    private func takePart(
        in place: RingPlace, _ loop: TrainingLoop, lastStep: Int
    ) throws -> HaltReport? {
        let assignment = place.assignment
        func halt(_ cause: String?, suspect: Int? = nil) -> HaltReport {
            HaltReport(
                generation: assignment.generation, step: loop.step, hasState: loop.hasWholeState,
                keptReplicas: loop.keptReplicas, cause: cause, suspect: suspect)
        }
        func halt(_ error: CollectiveError) -> HaltReport {
            halt("\(error)", suspect: error.isAboutNeighbour ? error.neighbour : nil)
        }
        do {
            let group = try connect(place)
            place.ring.arm(generation: assignment.generation) { group.shutdown() }
            defer {
                place.ring.disarm()
                group.close()
            }
            let end = try shuttingDown(group, loop) {
                try loop.enter(group, assignment)
                logHeader(assignment, loop, medium: group.medium)
                place.link.send(
                    .ready(
                        ReadyReport(
                            generation: assignment.generation, step: loop.step,
                            weightsDigest: loop.weightsDigest)), kept: true)
                let end = try loop.run(lastStep: lastStep)
                if case .paused = end { return end }
                var isStopped = false
                if case .stopped = end { isStopped = true }
                if isStopped, place.link.wasAbandoned { try rescue(loop, place) }
                try loop.uploadCheckpoint(isFinal: !isStopped)
                place.link.send(.finished(loop.finishedReport(stopped: isStopped)), kept: true)
                return end
            }
            if case .paused = end { return halt(nil) }
            return nil
        } catch let error as CollectiveError {
            // Another generation would not change the configuration.
            if case .notShared = error.cause { throw error }
            return halt(error)
        } catch StepError.collective(let error) {
            return halt(error)
        } catch let error as CoordinatorLink.StateLost {
            return halt("\(error)")
        } catch let error as CoordinatorLink.Expelled {
            options.log("\(error)")
            return nil
        }
    }

    /// The coordinator stays away, and all workers have stopped at this step: the first rank saves
    /// the state where it is.
    private func rescue(_ loop: TrainingLoop, _ place: RingPlace) throws -> Never {
        var words =
            "the coordinator at \(options.coordinator) stays away; stopped after step \(loop.step)"
        if place.assignment.rank == 0 {
            let path = try loop.saveHere(
                configurationJSON: place.link.description.configurationJSON,
                arithmetic: place.assignment.arithmetic)
            words +=
                ", whose state is saved in \(path): move that folder into the run's 'checkpoints' and go"
                + " on with --resume"
        }
        throw WorkerFailure(exitCode: .peersLost, message: words)
    }

    /// The loop leaves the ring in any case; a failing body must not leave the reducing thread
    /// waiting in it.
    private func shuttingDown<Result>(
        _ group: ProcessGroup, _ loop: TrainingLoop, _ body: () throws -> Result
    ) throws -> Result {
        defer { loop.leave() }
        do {
            return try body()
        } catch {
            group.shutdown()
            throw error
        }
    }

    private func connect(_ place: RingPlace) throws -> ProcessGroup {
        let assignment = place.assignment
        place.link.setProgress(step: assignment.startStep, phase: "connecting")
        let addresses = try assignment.addresses.map { try SocketAddress.parse($0) }
        let interrupt = try WakeSignal()
        place.ring.arm(generation: assignment.generation) { interrupt.signal() }
        defer { place.ring.disarm() }
        return try RingConnector.connect(
            rank: assignment.rank, generation: assignment.generation,
            token: place.link.description.runToken, deal: assignment.deal, addresses: addresses,
            listener: try place.listener.opened(for: addresses),
            timeout: place.communication.timeout, deadline: .after(Self.ringTimeout),
            segmentByteCount: place.communication.segmentByteCount,
            transport: LinkTransport(place.communication.transport), interrupt: interrupt,
            add: ringAddition)
    }

    private func logHeader(_ assignment: Assignment, _ loop: TrainingLoop, medium: String?) {
        let replicas = assignment.deal.ranges[assignment.rank]
        options.log(
            "rank \(assignment.rank) of \(assignment.worldSize), generation"
                + " \(assignment.generation) from step \(loop.step), replicas"
                + " \(replicas.lowerBound)-\(replicas.upperBound - 1) of"
                + " \(assignment.deal.replicaCount), \(loop.scalarCount) parameters; OpenBLAS"
                + " \(Arithmetic.loadedCoreType), \(Arithmetic.threadCount)"
                + " thread\(Arithmetic.threadCount == 1 ? "" : "s")"
                + (medium.map { "; to the next rank over \($0)" } ?? ""))
    }
}

extension CollectiveError {
    /// Whether it says that the neighbour does not answer; a closed link says nothing about it.
    fileprivate var isAboutNeighbour: Bool {
        switch cause {
        case .stalled, .notConnected: true
        case .closed, .unexpectedFrame, .malformedFrame, .senselessPayload, .transport,
            .notShared, .shutDown:
            false
        }
    }
}
