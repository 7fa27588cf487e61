// How a run of processes ended, in one sentence and one exit code.
//
// Three sources may know what was wrong: the coordinator, which every worker reports to; the
// system, which saw a process killed; the launcher, such as ssh, which did not reach a host. A
// killed process cannot report anything and the coordinator only lost it, so the system and the
// launcher come first there. In all other cases the coordinator's sentence and exit code are used:
// workers that give up after it know less, and their order is left to chance.

import ExitCodes
import Foundation

extension Supervisor {
    /// How the processes ended.
    package struct Outcome: Equatable, Sendable {
        package var exitCode: ExitCode
        /// What went wrong; nil if nothing did, or if the run was interrupted.
        package var message: String?
        /// The last log lines of the worker that failed.
        package var logLines: [String]
        /// What the coordinator announced of a finished run, for a parent that asked for it.
        package var result: String?

        package init(exitCode: ExitCode, message: String? = nil, logLines: [String] = []) {
            self.exitCode = exitCode
            self.message = message
            self.logLines = logLines
        }
    }
}

extension Supervisor.Outcome {
    /// - Parameter coordinatorLine: the last line that the coordinator has announced.
    init(
        _ supervision: Supervision, _ launches: [Supervisor.WorkerLaunch], coordinatorLine: String?
    ) {
        let message = coordinatorLine.flatMap { line in
            line.hasPrefix("failed ") ? String(line.dropFirst(7)) : nil
        }
        let casualties = supervision.casualties
        func launch(_ child: Supervision.Child) -> Supervisor.WorkerLaunch? {
            launches.first { .worker($0.slot) == child }
        }
        if supervision.coordinatorStatus == .exited(0) {
            self.init(exitCode: .done)
            result = coordinatorLine?.hasPrefix("result ") == true ? coordinatorLine : nil
        } else if supervision.endedByInterrupt {
            self.init(exitCode: .interrupted)
        } else if let message, case .exited(let status) = supervision.coordinatorStatus,
            ExitCode(status: status) != .peersLost
        {
            self.init(coordinator: message, ExitCode(status: status), launches)
        } else if let (death, launch) = casualties.lazy.compactMap({ casualty in
            launch(casualty.child).map { (casualty.status, $0) }
        }).first(where: { $1.isOwnEnd($0) }) {
            self.init(worker: launch, death)
        } else if let message, case .exited(let status) = supervision.coordinatorStatus {
            self.init(coordinator: message, ExitCode(status: status), launches)
        } else if let cause = supervision.firstCause, let launch = launch(cause.child) {
            self.init(worker: launch, cause.status)
        } else if case .exited(let status) = supervision.coordinatorStatus {
            self.init(
                exitCode: ExitCode(status: status),
                message: message ?? "the coordinator ended early")
        } else {
            let status = supervision.coordinatorStatus?.description ?? "is gone"
            self.init(exitCode: .peersLost, message: "the coordinator \(status)")
        }
    }

    /// The coordinator's message, with the log of the worker that it names.
    private init(
        coordinator message: String, _ code: ExitCode, _ launches: [Supervisor.WorkerLaunch]
    ) {
        self.init(exitCode: code, message: message)
        guard let launch = launches.first(where: { $0.slot == Self.slot(in: message) }) else {
            return
        }
        add(launch.lastLines(), of: launch)
    }

    /// The slot of the worker that a message is about: the lost one, or else the first it names.
    static func slot(in message: String) -> Int? {
        for prefix in ["lost worker ", "worker ", "workers "] {
            guard let range = message.range(of: prefix) else { continue }
            if let slot = Int(message[range.upperBound...].prefix(while: \.isNumber)) {
                return slot
            }
        }
        return nil
    }

    /// An outcome that a worker's own end explains.
    private init(worker launch: Supervisor.WorkerLaunch, _ status: ProcessEnd) {
        let lines = launch.lastLines()
        let end = launch.launcher.workerEnd(status)
        let name = launch.name
        // A configuration or data that a worker refuses keeps its own code.
        let kept: [ExitCode] = [.failed, .usage, .data]
        let code = end.exitCode.flatMap { kept.contains($0) ? $0 : nil } ?? .peersLost
        if let reason = launch.launcher.explanation(of: status, log: lines) {
            self.init(exitCode: code, message: "\(name): \(reason)")
        } else if end == .exited(0) {
            self.init(exitCode: code, message: "\(name) ended without taking part in the run")
        } else if case .exited = end, let reason = lines.compactMap(Self.failure(in:)).last {
            self.init(exitCode: code, message: "\(name) \(end): \(reason)")
        } else {
            self.init(exitCode: code, message: "\(name) \(end)")
        }
        add(lines, of: launch)
    }

    /// What a line of a worker's log says about why it gave up.
    private static func failure(in line: String) -> String? {
        let prefix = "rondo: error: "
        return line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
    }

    /// Puts the end of a log behind the message, without the lines that the message has already.
    private mutating func add(_ lines: [String], of launch: Supervisor.WorkerLaunch) {
        let sentence = message ?? ""
        logLines = lines.filter { !sentence.contains(Self.failure(in: $0) ?? $0) }
        message = sentence + (lines.isEmpty ? "; its log is empty: " : "; the end of its log ")
        message? += launch.logPath
    }
}

extension Supervisor.WorkerLaunch {
    /// The end of this start's part of the log.
    func lastLines() -> [String] {
        Supervisor.lastLines(of: logPath, count: 10, from: logStart)
    }

    /// Whether the end of the process says what happened to it, as no other process can know.
    func isOwnEnd(_ status: ProcessEnd) -> Bool {
        switch launcher.workerEnd(status) {
        case .signalled, .exited(0): true
        case .exited: launcher.isLaunchFailure(status)
        }
    }
}

extension Supervisor {
    /// The last lines of a file, however long it is, that begin at or behind the byte `start`.
    package static func lastLines(
        of path: String, count: Int, from start: UInt64 = 0
    ) -> [String] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let byteLimit: UInt64 = 32 * 1024
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: max(min(start, size), size > byteLimit ? size - byteLimit : 0))
        let bytes = (try? file.readToEnd()) ?? Data()
        // The trail of what a worker did before it failed fills a page; only the failure is shown.
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .filter { !$0.hasPrefix("rondo: before: ") }
        return lines.suffix(count).map(String.init)
    }
}
