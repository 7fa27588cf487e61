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

    /// How the processes ended.
    package struct Outcome: Equatable, Sendable {
        package var exitCode: Int32
        /// What went wrong; nil if nothing did, or if the run was interrupted.
        package var message: String?
        /// The last lines of the log of the worker that is to blame.
        package var logLines: [String]

        package init(exitCode: Int32, message: String? = nil, logLines: [String] = []) {
            self.exitCode = exitCode
            self.message = message
            self.logLines = logLines
        }
    }

    private enum Event: Sendable {
        case child(Supervision.Event)
        case announced(line: String?)
    }

    /// The coordinator reads its configuration and looks at the data before it listens.
    package static let announcementTimeout: Duration = .seconds(60)

    private let events = EventQueue<Event>()

    package init() {}

    /// SIGINT, SIGTERM or SIGHUP has come: the first one asks the coordinator to save and end, the
    /// second one ends everything at once. From any thread.
    package func signalReceived() { events.push(.child(.signal)) }

    /// Runs to the end of the last process.
    ///
    /// - Parameters:
    ///   - coordinator: must have `announces`; it writes its address first.
    ///   - workers: the workers for a coordinator at the address that was announced.
    package func run(
        coordinator: ChildProcess.Command,
        workers: (String) throws(LaunchingError) -> [WorkerLaunch]
    ) throws(LaunchingError) -> Outcome {
        var supervision = Supervision()
        let root = try start("the coordinator", .coordinator, coordinator)
        var children: [ChildProcess] = [root]
        var launches: [WorkerLaunch] = []
        var startFailure: LaunchingError?
        var lastWords: String?
        awaitAnnouncement(of: root)

        while !supervision.isOver {
            let event = events.next(until: supervision.deadline) ?? .child(.deadlinePassed)
            let now = ContinuousClock.now
            switch event {
            case .announced(let line):
                let address = line.flatMap { $0.hasPrefix("listening ") ? $0.dropFirst(10) : nil }
                if address == nil { lastWords = line }
                do throws(LaunchingError) {
                    if let address, !supervision.wasInterrupted {
                        launches = try workers(String(address))
                        for launch in launches {
                            let child = Supervision.Child.worker(launch.slot)
                            children.append(try start(launch.name, child, launch.command))
                            supervision.started(child)
                        }
                    }
                    supervision.allStarted()
                } catch {
                    startFailure = error
                    perform(supervision.handle(.failed, now: now), children)
                }
            case .child(let event):
                perform(supervision.handle(event, now: now), children)
            }
        }
        if let startFailure { throw startFailure }
        return outcome(
            supervision, launches,
            coordinatorMessage: lastWords ?? root.announcements?.nextLine(until: .now))
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

    private func perform(_ actions: [Supervision.Action], _ children: [ChildProcess]) {
        for action in actions {
            switch action {
            case .interruptCoordinator: children.first?.signal(SIGINT)
            case .terminateAll:
                for child in children {
                    child.cutLifeline()
                    child.signalGroup(SIGTERM)
                }
            case .killAll:
                for child in children {
                    child.cutLifeline()
                    child.signalGroup(SIGKILL)
                }
            }
        }
    }

    // MARK: - The end in words

    private func outcome(
        _ supervision: Supervision, _ launches: [WorkerLaunch], coordinatorMessage: String?
    ) -> Outcome {
        let message = coordinatorMessage.flatMap { line in
            line.hasPrefix("failed ") ? String(line.dropFirst(7)) : nil
        }
        let coordinatorStatus = supervision.coordinatorStatus
        if coordinatorStatus == .exited(0) { return Outcome(exitCode: 0) }
        if supervision.wasInterrupted, supervision.casualties.allSatisfy({ $0.isOrderly }) {
            return Outcome(exitCode: 130)
        }
        if let cause = supervision.firstCause, case .worker(let slot) = cause.child,
            let launch = launches.first(where: { $0.slot == slot })
        {
            return outcome(of: launch, cause.status, coordinatorMessage: message)
        }
        switch coordinatorStatus {
        case .exited(let code):
            return Outcome(exitCode: code, message: message ?? "the coordinator ended early")
        case .signalled, nil:
            let status = coordinatorStatus?.description ?? "is gone"
            return Outcome(exitCode: 4, message: "the coordinator \(status)")
        }
    }

    private func outcome(
        of launch: WorkerLaunch, _ status: ProcessEnd, coordinatorMessage: String?
    ) -> Outcome {
        let lines = Self.lastLines(of: launch.logPath, count: 10, from: launch.logStart)
        var message = "\(launch.name) (rank \(launch.slot)) \(status)"
        if let host = launch.host,
            let explanation = SSHCommand.explanation(of: status, rondo: host.rondo)
        {
            message = "\(launch.name): \(explanation)"
            if let words = lines.last { message += " (\(words))" }
        } else if case .exited = status {
            let own = lines.last { $0.hasPrefix(Self.errorPrefix) }
            if let words = coordinatorMessage
                ?? own.map({ String($0.dropFirst(Self.errorPrefix.count)) })
            {
                message += ": \(words)"
            }
        }
        message += "; " + (lines.isEmpty ? "its log is empty: " : "the end of its log ")
        message += launch.logPath
        // A configuration or data that a worker refuses keeps its own code.
        let code: Int32 = status == .exited(2) ? 2 : status == .exited(3) ? 3 : 4
        return Outcome(exitCode: code, message: message, logLines: lines)
    }

    /// How a worker's log says why it gave up.
    private static let errorPrefix = "rondo: error: "

    /// The last lines of a file, however long it is, that begin at or behind the byte `start`.
    package static func lastLines(
        of path: String, count: Int, from start: UInt64 = 0
    ) -> [String] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let byteLimit: UInt64 = 16 * 1024
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: max(min(start, size), size > byteLimit ? size - byteLimit : 0))
        let bytes = (try? file.readToEnd()) ?? Data()
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        return lines.suffix(count).map(String.init)
    }
}

extension Supervision.Casualty {
    /// An end that an interrupted run may bring with it.
    fileprivate var isOrderly: Bool { status == .exited(130) || status == .signalled(SIGINT) }
}
