// A disturbed run: asks its coordinator repeatedly for the run's state, makes each event of the
// plan happen at its step, waits until all workers are back and have committed a step, and
// continues with the next event.

import RunFolders
import Checkpoints
import ExitCodes
import Foundation
import Glibc
import Launching
import Rendezvous
import RunProcesses
import Synchronization
import Training
import Transport
import WireFormat

/// A run that did not recover from an event, or could not be disturbed.
package struct ChaosFailure: ExitCoded, CustomStringConvertible {
    package let description: String
    package var exitCode: ExitCode { .failed }

    package init(_ description: String) { self.description = description }
}

/// Ctrl-C.
package struct ChaosInterrupted: ExitCoded {
    package var exitCode: ExitCode { .interrupted }

    package init() {}
}

/// Disturbs one run. Used by one thread.
final class ChaosRun {
    /// How long the run may take to recover from an event.
    private static let patience = Duration.seconds(120)
    /// The longest time without a step, before the first event and between two events.
    private static let longestSilence = Duration.seconds(300)

    private let folder: RunFolder
    private let workerCount: Int
    private let processes: ChaosProcesses
    private let relay: Relay?
    private let isInterrupted: () -> Bool
    private let print: (String) -> Void
    private(set) var outcomes: [ChaosOutcome] = []
    /// Events that did not happen, each with the reason.
    private(set) var missed: [String] = []

    init(
        folder: RunFolder, workerCount: Int, processes: ChaosProcesses, relay: Relay?,
        isInterrupted: @escaping () -> Bool, print: @escaping (String) -> Void
    ) {
        self.folder = folder
        self.workerCount = workerCount
        self.processes = processes
        self.relay = relay
        self.isInterrupted = isInterrupted
        self.print = print
    }

    /// Makes the events happen; returns when all have happened or the run has ended.
    func disturb(_ plan: ChaosPlan) throws {
        for (index, event) in plan.events.enumerated() {
            guard let before = try wait(for: event) else {
                let count = plan.events.count - index
                missed.append("the run ended before \(count) of the events")
                return
            }
            try happen(event, before)
        }
    }

    /// Waits for the end of `rondo train`.
    func awaitEnd() throws {
        var lastStep = -1
        var lastChange = ContinuousClock.now
        while processes.train?.status == nil {
            if let status = try look(), status.step != lastStep {
                lastStep = status.step
                lastChange = .now
            }
            guard ContinuousClock.now - lastChange < Self.longestSilence else {
                throw ChaosFailure("the run made no step for \(Self.longestSilence)")
            }
            ChaosProcesses.pause(.milliseconds(100))
        }
    }

    // MARK: - Looking

    /// The run's state; nil while its coordinator cannot be asked.
    private func look() throws -> StatusReport? {
        if isInterrupted() { throw ChaosInterrupted() }
        guard let place = CoordinatorPlace(in: folder), let address = try? place.reachable() else {
            return nil
        }
        try processes.replaceLost(relay?.address ?? address)
        return try? StatusClient.ask(address, deadline: .after(.seconds(5)))
    }

    private var hasEnded: Bool { processes.train?.status != nil }

    /// The run's state at an event's step, with all workers present; nil if the run ended before.
    private func wait(for event: ChaosEvent) throws -> StatusReport? {
        // A limit on file sizes must be in force before the checkpoint that it should hit.
        let step = event.kind == .disk ? max(1, event.step - 5) : event.step
        var lastStep = -1
        var lastChange = ContinuousClock.now
        while !hasEnded {
            let status = try look()
            if let status, status.step != lastStep {
                lastStep = status.step
                lastChange = .now
            }
            if let status, status.step >= step, isWhole(status) {
                // A checkpoint comes after its step, and after an evaluation that may be due there.
                let isMoment = event.kind != .checkpoint || status.arrivingCheckpoint != nil
                if isMoment || status.step > step { return status }
            }
            guard ContinuousClock.now - lastChange < Self.longestSilence else {
                throw ChaosFailure(
                    "the run made no step for \(Self.longestSilence) before step \(step)")
            }
            // Ask often when the step is near, so that the event hits this step and not a later
            // one.
            let isNear = status.map { step - $0.step < 20 } ?? false
            ChaosProcesses.pause(.milliseconds(isNear ? 3 : 50))
        }
        return nil
    }

    private func isWhole(_ status: StatusReport) -> Bool {
        status.state == "running" && status.workers.count { $0.rank != nil } == workerCount
            && status.step > status.startStep
    }

    // MARK: - Events

    private func happen(_ event: ChaosEvent, _ status: StatusReport) throws {
        let moment = ChaosMoment(
            time: Date().timeIntervalSince1970, generation: status.generation,
            step: status.step)
        guard let victim = try strike(event, status) else { return }
        var message =
            "event \(event.number): \(event.kind.description) after step \(moment.step): \(victim.name)"
        let end = victim.end.map { ContinuousClock.now + $0 }
        try awaitWhole(event, victim, since: moment, until: end)
        // After a suspension that nobody noticed the members are the same: the next step counts.
        guard
            let outcome = ChaosFiles.outcome(
                of: event, since: moment, breaksTheStep: event.kind.breaksTheStep, in: folder)
        else {
            missed.append("event \(event.number) has no step behind it: the run ended")
            return
        }
        outcomes.append(outcome)
        message +=
            "; next step after \(ChaosTable.text(outcome.recoverySeconds)) s, of which "
            + "\(ChaosTable.text(outcome.computingSeconds)) s the step itself"
        if outcome.recomputedSteps > 0 { message += "; steps again: \(outcome.recomputedSteps)" }
        print(message)
    }

    /// The process or link that an event hit.
    private struct Victim {
        var name: String
        var process: Int32?
        /// The event is over after this time.
        var end: Duration?
        /// The event is over when the run is in such a state; nil if a time decides.
        var isOver: ((StatusReport) -> Bool)?
        /// What to do when the event is over.
        var finish: () throws -> Void = {}
    }

    /// Makes an event happen; nil if it was not possible.
    private func strike(_ event: ChaosEvent, _ status: StatusReport) throws -> Victim? {
        let members = status.workers.filter { $0.rank != nil }
        func name(_ worker: StatusReport.Worker) -> String {
            "worker \(worker.slot) (pid \(worker.pid), \(worker.phase))"
        }
        func gone(_ worker: StatusReport.Worker) -> Victim? {
            missed.append("event \(event.number): \(name(worker)) was gone already")
            return nil
        }
        let chosen = members[event.choice % members.count]
        switch event.kind {
        case .kill:
            guard processes.signal(chosen.pid, SIGKILL) else { return gone(chosen) }
            return Victim(name: name(chosen), process: chosen.pid)
        case .checkpoint:
            let sender = members.first { $0.rank == 0 } ?? chosen
            guard processes.signal(sender.pid, SIGKILL) else { return gone(sender) }
            return Victim(name: name(sender), process: sender.pid)
        case .stop:
            guard processes.signal(chosen.pid, SIGSTOP) else { return gone(chosen) }
            let processes = processes
            return Victim(
                name: name(chosen) + " for \(event.seconds) s", end: .seconds(event.seconds),
                finish: { _ = processes.signal(chosen.pid, SIGCONT) })
        case .leave:
            // `rondo train` does not restart a worker that left, and ends when all its workers have
            // left.
            let own = members.filter { !processes.hasJoined($0.pid) }
            let leaver =
                own.count > 1 ? chosen : members.first { processes.hasJoined($0.pid) } ?? chosen
            guard processes.signal(leaver.pid, SIGTERM) else { return gone(leaver) }
            return Victim(name: name(leaver), process: leaver.pid)
        case .reset, .cut:
            return try strikeLink(event, chosen, name(chosen))
        case .coordinator:
            guard processes.signal(status.coordinatorPID, SIGKILL) else {
                missed.append("event \(event.number): the coordinator was gone already")
                return nil
            }
            return Victim(name: "pid \(status.coordinatorPID)")
        case .disk:
            return strikeDisk(event, status.coordinatorPID)
        }
    }

    /// Files that grow line by line must still fit under the limit; those of a checkpoint must not.
    private func strikeDisk(_ event: ChaosEvent, _ coordinator: Int32) -> Victim? {
        let own = [folder.metricsPath, folder.ledgerPath, folder.logPath].map { path -> Int in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            return (attributes?[.size] as? NSNumber)?.intValue ?? 0
        }
        let limit = (own.max() ?? 0) + 256 * 1024
        guard processes.limitFiles(of: coordinator, byteCount: limit) else {
            missed.append("event \(event.number): the coordinator's files cannot be limited")
            return nil
        }
        let processes = processes
        return Victim(
            name: "coordinator (pid \(coordinator)), no file beyond \(limit / 1024) KiB",
            isOver: { $0.step > event.step + 2 },
            finish: { _ = processes.limitFiles(of: coordinator, byteCount: nil) })
    }

    private func strikeLink(
        _ event: ChaosEvent, _ worker: StatusReport.Worker, _ name: String
    ) throws -> Victim? {
        guard let relay else { return nil }
        let link: Relay.Link =
            event.hitsRing && relay.carries(.ring, of: worker.pid) ? .ring : .control
        let linkName = link == .ring ? "the ring's link into " : "the coordinator's link to "
        guard relay.carries(link, of: worker.pid) else {
            missed.append("event \(event.number): \(linkName)\(name) is not there")
            return nil
        }
        if event.kind == .reset {
            relay.reset(link, of: worker.pid)
            return Victim(name: linkName + name)
        }
        relay.cut(link, of: worker.pid, for: .seconds(event.seconds))
        return Victim(
            name: linkName + name + " for \(event.seconds) s", end: .seconds(event.seconds))
    }

    private func hasCheckpoint(of step: Int) throws -> Bool {
        try CheckpointStore(directory: folder.checkpointsPath).steps().contains(step)
    }

    /// Waits until the event is over and all workers train again.
    private func awaitWhole(
        _ event: ChaosEvent, _ victim: Victim, since moment: ChaosMoment,
        until end: ContinuousClock.Instant?
    ) throws {
        var deadline = ContinuousClock.now + Self.patience
        var isOver = end == nil && victim.isOver == nil
        var hasLeft = event.kind != .leave
        var last: StatusReport?
        /// The step at the end of the event.
        var stepAtEnd = moment.step
        while !hasEnded {
            if let end, !isOver, ContinuousClock.now >= end {
                try victim.finish()
                isOver = true
                stepAtEnd = last?.step ?? stepAtEnd
                deadline = ContinuousClock.now + Self.patience
            }
            if let status = try look() {
                last = status
                if !isOver, let test = victim.isOver, test(status) {
                    try victim.finish()
                    isOver = true
                    stepAtEnd = status.step
                    if event.kind == .disk, try hasCheckpoint(of: event.step) {
                        missed.append("event \(event.number): the checkpoint found room")
                    }
                }
                if !hasLeft, !status.workers.contains(where: { $0.pid == victim.process }) {
                    hasLeft = true
                    if let address = joiningAddress { try processes.join(address) }
                }
                let hasGone = !status.workers.contains { $0.pid == victim.process }
                // Some events change no member: they are over two steps after their end.
                let hasChanged = status.generation != moment.generation
                let isBehind = status.step >= stepAtEnd + 2
                if isOver, hasLeft, hasGone, isWhole(status), hasChanged || isBehind { return }
            }
            guard ContinuousClock.now < deadline else {
                throw ChaosFailure(
                    "the run was not whole again \(Self.patience) after event \(event.number) "
                        + "(\(event.kind.description)): \(description(of: last))")
            }
            ChaosProcesses.pause(.milliseconds(20))
        }
        if !isOver { try victim.finish() }
    }

    private var joiningAddress: SocketAddress? {
        relay?.address ?? CoordinatorPlace(in: folder).flatMap { try? $0.reachable() }
    }

    private func description(of status: StatusReport?) -> String {
        guard let status else { return "its coordinator does not answer" }
        return StatusCommand.lines(status).joined(separator: "; ")
    }
}
