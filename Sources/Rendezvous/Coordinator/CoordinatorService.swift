// The coordinator as the program around it sees it: run on one thread, asked to stop from any
// other. CoordinatorLoop, which exists only while `run` does, does the work.

import ExitCodes
import Synchronization
import Transport
import WireFormat

/// Runs the control plane of one run.
///
/// Unchecked: `delegate` and `settings` are used by the thread that calls `run` only; requests from
/// other threads go through a mutex.
package final class CoordinatorService: @unchecked Sendable {
    private let listener: Listener
    private let settings: CoordinatorSettings
    private let delegate: any CoordinatorDelegate
    private let requests = Mutex(Requests())
    private let wake: WakeSignal

    /// Events from other threads, and how many more will be taken.
    private struct Requests {
        /// A few are enough: the first stop and the first abort decide.
        static let limit = 16
        var events: [Membership.Event] = []
    }

    /// - Parameter listener: taken over; closed when the run is over.
    package init(
        listener: Listener, settings: CoordinatorSettings, delegate: any CoordinatorDelegate
    ) throws(TransportError) {
        self.listener = listener
        self.settings = settings
        self.delegate = delegate
        wake = try WakeSignal()
    }

    /// Waits for the workers, opens one generation after another and returns when all workers have
    /// left.
    package func run() -> RunOutcome {
        defer { listener.close() }
        if let problem = settings.problem { return .failed(exitCode: .usage, message: problem) }
        let loop = CoordinatorLoop(
            listener: listener, settings: settings, delegate: delegate, wake: wake
        ) { [self] in
            requests.withLock { requests in
                defer { requests.events = [] }
                return requests.events
            }
        }
        return loop.run()
    }

    /// Asks every worker to finish its step, save and leave. From any thread; asking again changes
    /// nothing. Takes a lock: a signal handler must hand over to a thread first.
    package func requestStop(reason: String) {
        request(.stopRequested(reason: reason))
    }

    /// Ends the run at once, without a checkpoint. From any thread.
    package func requestAbort(exitCode: ExitCode, reason: String) {
        request(.runFailed(exitCode: exitCode, message: reason))
    }

    private func request(_ event: Membership.Event) {
        requests.withLock { requests in
            if requests.events.count < Requests.limit { requests.events.append(event) }
        }
        wake.signal()
    }
}
