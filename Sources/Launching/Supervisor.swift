// Starts a coordinator and its workers, waits for them, and makes sure that none of them outlives
// the run. `Supervision` decides what to do and when; this type owns the processes and the clock.

import Foundation
import Glibc

/// The processes of one run on this machine. For a worker elsewhere this is the command that its
/// launcher runs here, such as ssh.
package final class Supervisor: Sendable {
    /// A worker to be started.
    package struct WorkerLaunch: Sendable {
        package var slot: Int
        /// How it is started.
        package var launcher: any Launcher
        package var command: ChildProcess.Command
        package var logPath: String
        /// Where this start's part of the log begins: a resumed run adds to the file.
        let logStart: UInt64

        package init(
            slot: Int, launcher: any Launcher, command: ChildProcess.Command, logPath: String
        ) {
            self.slot = slot
            self.launcher = launcher
            self.command = command
            self.logPath = logPath
            let attributes = try? FileManager.default.attributesOfItem(atPath: logPath)
            logStart = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
        }

        var name: String { "worker \(slot)" + (launcher.hostName.map { " on host \($0)" } ?? "") }
    }

    fileprivate enum Event: Sendable {
        case child(Supervision.Event)
        /// A coordinator's first line: where it listens, or why it does not. Nil if none came in
        /// time.
        case announced(line: String?)
        case said(line: String)
        /// A coordinator says nothing more.
        case fellSilent
    }

    /// Includes the time to read the configuration and check the data before listening.
    package static let announcementTimeout: Duration = .seconds(60)
    /// The last lines are in the pipe when their writer ends; reading them takes far less than
    /// this.
    private static let lastLinesTimeout: Duration = .seconds(1)

    private let events = EventQueue<Event>()

    package init() {}

    /// SIGINT, SIGTERM or SIGHUP has come: the first one asks the coordinator to save and end, one
    /// that comes later than its echo ends everything at once. From any thread.
    package func signalReceived() { events.push(.child(.signal)) }

    /// Runs to the end of the last process.
    ///
    /// - Parameters:
    ///   - coordinator: must have `announces`; it writes its address first.
    ///   - successor: a coordinator that replaces a killed one at the announced address.
    ///   - workers: the workers for a coordinator at the address that was announced.
    package func run(
        coordinator first: ChildProcess.Command,
        successor: (String) -> ChildProcess.Command,
        workers: (String) throws(LaunchingError) -> [WorkerLaunch]
    ) throws(LaunchingError) -> Outcome {
        var processes = SupervisedProcesses(events: events)
        try processes.startCoordinator(first)
        while !processes.supervision.isOver {
            let event = events.next(until: processes.supervision.deadline)
            do throws(LaunchingError) {
                switch event ?? .child(.deadlinePassed) {
                case .announced(let line):
                    if let address = processes.hear(line) {
                        try processes.startWorkers(workers(address))
                    }
                    processes.supervision.allStarted()
                case .said(let line): processes.hear(further: line)
                case .fellSilent: processes.talkingCount -= 1
                case .child(let event): try processes.handle(event, successor: successor)
                }
            } catch {
                processes.fail(error)
            }
        }
        let silence = ContinuousClock.now + Self.lastLinesTimeout
        while processes.talkingCount > 0, let event = events.next(until: silence) {
            if case .fellSilent = event { processes.talkingCount -= 1 }
            if case .said(let line) = event { processes.hear(further: line) }
        }
        if let failure = processes.startFailure { throw failure }
        return Outcome(
            processes.supervision, processes.launches, coordinatorLine: processes.lastLine)
    }
}

/// The processes of a run, and what its coordinators have said.
private struct SupervisedProcesses {
    let events: EventQueue<Supervisor.Event>
    var supervision = Supervision()
    /// Coordinators, living or dead, whose pipe has not been read to its end.
    var talkingCount = 0
    private var children: [Supervision.Child: ChildProcess] = [:]
    private var address = ""
    private(set) var launches: [Supervisor.WorkerLaunch] = []
    private(set) var startFailure: LaunchingError?
    private(set) var lastLine: String?

    init(events: EventQueue<Supervisor.Event>) { self.events = events }

    /// Takes a coordinator's first line and returns the address that workers connect to.
    mutating func hear(_ line: String?) -> String? {
        guard let line, line.hasPrefix("listening ") else {
            lastLine = line ?? lastLine
            return nil
        }
        // The successor of a coordinator listens where that one did, and has its workers.
        guard launches.isEmpty, !supervision.wasInterrupted else { return nil }
        address = String(line.dropFirst("listening ".count))
        return address
    }

    mutating func hear(further line: String) {
        if line.hasPrefix("joined "), let slot = Int(line.dropFirst("joined ".count)) {
            supervision.joined(slot)
        } else {
            lastLine = line
        }
    }

    mutating func startCoordinator(_ command: ChildProcess.Command) throws(LaunchingError) {
        let coordinator = try start("the coordinator", .coordinator, command)
        children[.coordinator] = coordinator
        listen(to: coordinator)
    }

    mutating func startWorkers(_ launches: [Supervisor.WorkerLaunch]) throws(LaunchingError) {
        self.launches = launches
        for launch in launches { try start(launch) }
    }

    mutating func handle(
        _ event: Supervision.Event, successor: (String) -> ChildProcess.Command
    ) throws(LaunchingError) {
        for action in supervision.handle(event, now: .now) {
            switch action {
            case .startCoordinator: try startCoordinator(successor(address))
            case .startWorker(let slot):
                if let launch = launches.first(where: { $0.slot == slot }) { try start(launch) }
            case .interruptCoordinator, .terminateAll, .killAll: signal(action)
            }
        }
    }

    /// A process could not be started, and there is no run without it.
    mutating func fail(_ error: LaunchingError) {
        startFailure = error
        for action in supervision.handle(.failed, now: .now) { signal(action) }
    }

    private func signal(_ action: Supervision.Action) {
        switch action {
        case .startWorker, .startCoordinator: break
        case .interruptCoordinator: children[.coordinator]?.signal(SIGINT)
        case .terminateAll: endAll(with: SIGTERM)
        case .killAll: endAll(with: SIGKILL)
        }
    }

    private func endAll(with number: Int32) {
        for child in children.values {
            child.cutLifeline()
            child.signalGroup(number)
        }
    }

    private mutating func start(_ launch: Supervisor.WorkerLaunch) throws(LaunchingError) {
        let child = Supervision.Child.worker(launch.slot)
        children[child] = try start(launch.name, child, launch.command)
        supervision.started(child, now: .now)
    }

    private func start(
        _ name: String, _ child: Supervision.Child, _ command: ChildProcess.Command
    ) throws(LaunchingError) -> ChildProcess {
        let events = events
        return try ChildProcess(name: name, command) { _, status in
            events.push(.child(.ended(child, status)))
        }
    }

    /// Reads what a coordinator says, on a thread of its own, to the end of the pipe.
    private mutating func listen(to coordinator: ChildProcess) {
        guard let reader = coordinator.announcements else { return }
        talkingCount += 1
        let events = events
        Thread.detachNewThread {
            let line = reader.nextLine(until: .now + Supervisor.announcementTimeout)
            // No line: the coordinator ended, which arrives as an event of its own, or it hangs.
            if line == nil { coordinator.signalGroup(SIGKILL) }
            events.push(.announced(line: line))
            // Until the writer ends, however long the run: there is nothing to give up on.
            while let line = reader.nextLine(until: nil) { events.push(.said(line: line)) }
            events.push(.fellSilent)
        }
    }
}
