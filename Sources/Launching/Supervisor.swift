// Starts a coordinator and its workers, waits, and sees to it that none of them outlives the run.
// What is to be done when is decided by `Supervision`; this type owns the processes and the time.

import Foundation
import Synchronization

/// The processes of one run on this machine (with ssh in the place of a worker elsewhere).
package final class Supervisor: Sendable {
    /// A worker to be started.
    package struct WorkerLaunch: Sendable {
        package var slot: Int
        /// The host it runs on; nil is this machine.
        package var host: HostsFile.Host?
        package var command: ChildProcess.Command
        package var logPath: String
        /// Where this start's part of the log begins: a resumed run adds to the file.
        let logStart: UInt64

        package init(
            slot: Int, host: HostsFile.Host?, command: ChildProcess.Command, logPath: String
        ) {
            self.slot = slot
            self.host = host
            self.command = command
            self.logPath = logPath
            let attributes = try? FileManager.default.attributesOfItem(atPath: logPath)
            logStart = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
        }

        var name: String { "worker \(slot)" + (host.map { " on host \($0.name)" } ?? "") }
    }

    private enum Event: Sendable {
        case child(Supervision.Event)
        case announced(line: String?)
    }

    /// The coordinator reads its configuration and looks at the data before it listens.
    package static let announcementTimeout: Duration = .seconds(60)

    private let events = EventQueue<Event>()

    package init() {}

    /// SIGINT, SIGTERM or SIGHUP has come: the first one asks the coordinator to save and end, one
    /// that comes later than its echo ends everything at once. From any thread.
    package func signalReceived() { events.push(.child(.signal)) }

    /// Runs to the end of the last process.
    ///
    /// - Parameters:
    ///   - coordinator: must have `announces`; it writes its address first.
    ///   - successor: a coordinator that takes the place of a killed one at the address announced.
    ///   - workers: the workers for a coordinator at the address that was announced.
    package func run(
        coordinator first: ChildProcess.Command,
        successor: (String) -> ChildProcess.Command,
        workers: (String) throws(LaunchingError) -> [WorkerLaunch]
    ) throws(LaunchingError) -> Outcome {
        var supervision = Supervision()
        var coordinator = try start("the coordinator", .coordinator, first)
        var children: [Supervision.Child: ChildProcess] = [.coordinator: coordinator]
        var launches: [WorkerLaunch] = []
        var startFailure: LaunchingError?
        var lastWords: String?
        var address = ""
        awaitAnnouncement(of: coordinator)

        while !supervision.isOver {
            let event = events.next(until: supervision.deadline) ?? .child(.deadlinePassed)
            let now = ContinuousClock.now
            switch event {
            case .announced(let line):
                let announced = line.flatMap { $0.hasPrefix("listening ") ? $0.dropFirst(10) : nil }
                if announced == nil { lastWords = line }
                do throws(LaunchingError) {
                    if let announced, !supervision.wasInterrupted {
                        address = String(announced)
                        launches = try workers(address)
                        for launch in launches {
                            try start(launch, &children)
                            supervision.started(.worker(launch.slot), now: now)
                        }
                    }
                    supervision.allStarted()
                } catch {
                    startFailure = error
                    perform(supervision.handle(.failed, now: now), children)
                }
            case .child(let event):
                let actions = supervision.handle(event, now: now)
                do throws(LaunchingError) {
                    if actions.contains(.startCoordinator) {
                        let child = try start(
                            "the coordinator", .coordinator, successor(address))
                        children[.coordinator] = child
                        coordinator = child
                    }
                    for case .startWorker(let slot) in actions {
                        guard let launch = launches.first(where: { $0.slot == slot }) else {
                            continue
                        }
                        try start(launch, &children)
                        supervision.started(.worker(slot), now: now)
                    }
                } catch {
                    startFailure = error
                    perform(supervision.handle(.failed, now: now), children)
                }
                perform(actions, children)
            }
        }
        if let startFailure { throw startFailure }
        return Outcome(
            supervision, launches,
            coordinatorLine: lastWords ?? coordinator.lastAnnouncement)
    }

    private func start(
        _ launch: WorkerLaunch, _ children: inout [Supervision.Child: ChildProcess]
    ) throws(LaunchingError) {
        let child = Supervision.Child.worker(launch.slot)
        children[child] = try start(launch.name, child, launch.command)
    }

    private func start(
        _ name: String, _ child: Supervision.Child, _ command: ChildProcess.Command
    ) throws(LaunchingError) -> ChildProcess {
        let events = events
        return try ChildProcess(name: name, command) { _, status in
            events.push(.child(.ended(child, status)))
        }
    }

    private func awaitAnnouncement(of coordinator: ChildProcess) {
        let events = events
        Thread.detachNewThread {
            let line = coordinator.announcements?.nextLine(
                until: .now + Self.announcementTimeout)
            // No line: the coordinator ended, which arrives as an event of its own, or it hangs.
            if line == nil { coordinator.signalGroup(SIGKILL) }
            events.push(.announced(line: line))
        }
    }

    private func perform(
        _ actions: [Supervision.Action], _ children: [Supervision.Child: ChildProcess]
    ) {
        for action in actions {
            switch action {
            // Done by the caller, which knows the command.
            case .startWorker, .startCoordinator: break
            case .interruptCoordinator: children[.coordinator]?.signal(SIGINT)
            case .terminateAll: end(children, with: SIGTERM)
            case .killAll: end(children, with: SIGKILL)
            }
        }
    }

    private func end(_ children: [Supervision.Child: ChildProcess], with number: Int32) {
        for child in children.values {
            child.cutLifeline()
            child.signalGroup(number)
        }
    }
}

extension ChildProcess {
    /// The last line that an ended child has announced, but not where it listened.
    fileprivate var lastAnnouncement: String? {
        var last: String?
        while let line = announcements?.nextLine(until: .now) { last = line }
        return last
    }
}
