// A child process on posix_spawn, from its start to its reaping.
//
// - It has a process group of its own, so that the terminal's Ctrl-C reaches the parent only, which
//   then decides in which order things end; ending the group also ends what the child has started.
// - Its standard input is the lifeline: a pipe whose other end the parent holds and never writes.
//   When the parent is gone for any reason, the child reads the end of its input (Lifeline.swift).
// - A thread waits for it from the start, so it is reaped the moment it ends: no zombie, and its
//   process number cannot be signalled after it was given to somebody else.

import Foundation
import Transport
import Glibc
import Synchronization

/// A started process. Safe to use from any thread.
package final class ChildProcess: Sendable {
    /// Where the child's standard output or standard error goes.
    package enum Output: Sendable {
        /// Where this process' own goes.
        case inherited
        /// To the end of a file, which is created if it is missing.
        case appended(to: String)
    }

    package struct Command: Sendable {
        /// The file to run; searched for in PATH if it has no slash.
        package var executable: String
        /// All arguments, the process' name first.
        package var arguments: [String]
        /// Added to this process' own environment.
        package var environment: [String: String]
        package var standardOutput: Output
        package var standardError: Output
        /// Gives the child the write end of a pipe as descriptor 3 (`ChildProcess.announcements`).
        package var announces: Bool
        /// The cores that it may use; nil: those that this process may.
        package var cores: [Int]?

        package init(
            executable: String, arguments: [String], environment: [String: String] = [:],
            standardOutput: Output = .inherited, standardError: Output = .inherited,
            announces: Bool = false, cores: [Int]? = nil
        ) {
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.standardOutput = standardOutput
            self.standardError = standardError
            self.announces = announces
            self.cores = cores
        }
    }

    /// The descriptor on which a child that `announces` writes.
    package static let announcementDescriptor: Int32 = 3

    package let name: String
    package let processID: pid_t
    /// What the child writes to its descriptor 3, when it was started with `announces`.
    package let announcements: AnnouncementReader?

    private struct State {
        var status: ProcessEnd?
        var lifeline: Int32
    }
    private let state: Mutex<State>

    /// Starts `command`. `name` is what messages call the child ("worker 2").
    ///
    /// - Parameter onExit: called once, on a thread of its own, when the child has ended.
    package init(
        name: String, _ command: Command,
        onExit: @escaping @Sendable (ChildProcess, ProcessEnd) -> Void
    ) throws(LaunchingError) {
        let lifeline = try Pipe(for: name)
        var announcementPipe: Pipe?
        do throws(LaunchingError) {
            if command.announces { announcementPipe = try Pipe(for: name) }
            processID = try Self.spawn(
                name, command, standardInput: lifeline.readEnd,
                announcement: announcementPipe?.writeEnd)
        } catch {
            close(lifeline.readEnd)
            close(lifeline.writeEnd)
            if let announcementPipe {
                close(announcementPipe.readEnd)
                close(announcementPipe.writeEnd)
            }
            throw error
        }
        close(lifeline.readEnd)
        if let announcementPipe { close(announcementPipe.writeEnd) }
        announcements = announcementPipe.map { AnnouncementReader(descriptor: $0.readEnd) }
        self.name = name
        state = Mutex(State(status: nil, lifeline: lifeline.writeEnd))
        startReaping(onExit)
    }

    /// How it ended; nil while it runs.
    package var status: ProcessEnd? { state.withLock { $0.status } }

    /// Sends a signal to the child alone, unless it has ended already.
    package func signal(_ number: Int32) {
        state.withLock { state in
            // Under the lock the number is still the child's: the reaper marks the end first.
            if state.status == nil { _ = kill(processID, number) }
        }
    }

    /// Sends a signal to the child and all that it started.
    package func signalGroup(_ number: Int32) {
        state.withLock { state in
            if state.status == nil { _ = kill(-processID, number) }
        }
    }

    /// Lets the child read the end of its lifeline.
    package func cutLifeline() {
        state.withLock { state in
            if state.lifeline >= 0 { close(state.lifeline) }
            state.lifeline = -1
        }
    }

    private func startReaping(_ onExit: @escaping @Sendable (ChildProcess, ProcessEnd) -> Void) {
        Thread.detachNewThread { [self] in
            // Waits without reaping first, so that the process number stays the child's until the
            // end is on record under the lock that `signal` takes.
            var information = siginfo_t()
            _ = retryingInterrupts {
                waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT)
            }
            let status = state.withLock { state in
                var waitStatus: Int32 = 0
                _ = retryingInterrupts { waitpid(processID, &waitStatus, 0) }
                let status = ProcessEnd(waitStatus: waitStatus)
                state.status = status
                return status
            }
            cutLifeline()
            onExit(self, status)
        }
    }

    // MARK: - posix_spawn

    private static func spawn(
        _ name: String, _ command: Command, standardInput: Int32, announcement: Int32?
    ) throws(LaunchingError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, standardInput, 0)
        redirect(&actions, 1, command.standardOutput)
        redirect(&actions, 2, command.standardError)
        var kept: Set<Int32> = []
        if let announcement {
            // When the pipe already is descriptor 3, dup2 onto itself clears its close-on-exec
            // mark, which is what is wanted.
            posix_spawn_file_actions_adddup2(&actions, announcement, announcementDescriptor)
            kept.insert(announcementDescriptor)
        }
        for descriptor in openDescriptors() where !kept.contains(descriptor) {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        setAttributes(&attributes)

        let environment = ProcessInfo.processInfo.environment
            .merging(command.environment) { _, new in new }
        var arguments = command.arguments.map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for pointer in arguments { free(pointer) }
            for pointer in variables { free(pointer) }
        }
        var processID: pid_t = 0
        let result = ProcessorCores.on(command.cores) {
            posix_spawnp(
                &processID, command.executable, &actions, &attributes, &arguments, &variables)
        }
        guard result == 0 else {
            throw .system(
                subject: name, operation: "start '\(command.executable)'", errorNumber: result)
        }
        return processID
    }

    private static func redirect(
        _ actions: inout posix_spawn_file_actions_t, _ descriptor: Int32, _ output: Output
    ) {
        guard case .appended(let path) = output else { return }
        posix_spawn_file_actions_addopen(
            &actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    }

    /// A group of its own, no blocked signals, and the default action for all signals that this
    /// process may have set aside.
    private static func setAttributes(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        sigemptyset(&none)
        var restored = sigset_t()
        sigemptyset(&restored)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ, SIGCHLD] {
            sigaddset(&restored, signal)
        }
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &restored)
        let flags =
            Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK)
            | Int16(POSIX_SPAWN_SETSIGDEF)
        posix_spawnattr_setflags(&attributes, flags)
    }
}
