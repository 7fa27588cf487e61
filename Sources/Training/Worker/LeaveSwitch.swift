import Synchronization
import WireFormat

/// Asks a worker to leave the run after the step that is under way, and so to hand its replicas to
/// the others. From any thread, at any moment of the worker's life.
package final class LeaveSwitch: Sendable {
    private struct State {
        var reason: String?
        var link: CoordinatorLink?
    }

    private let state = Mutex(State())

    package init() {}

    package func requestLeave(reason: String) {
        let link = state.withLock { state in
            state.reason = state.reason ?? reason
            return state.link
        }
        link?.send(.leaving(LeaveRequest(reason: reason)), kept: true)
    }

    /// From here on a request reaches the coordinator; one that came before is sent now.
    func connect(_ link: CoordinatorLink) {
        let reason = state.withLock { state in
            state.link = link
            return state.reason
        }
        if let reason { link.send(.leaving(LeaveRequest(reason: reason)), kept: true) }
    }
}
