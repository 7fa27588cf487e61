import WireFormat

/// The reports that must reach the coordinator, whichever process it is at the moment: they are
/// kept, and sent again to a coordinator that may not have them.
struct KeptReports {
    /// This worker's part in the generation that it was last assigned to, with what it has reported
    /// there; nil for a newcomer. It goes with the hello to a coordinator that is called again.
    private(set) var standing: WorkerStanding?
    private var isPrepared = false
    private var leaveRequest: LeaveRequest?

    /// The worker has been assigned to a generation.
    mutating func enter(_ assignment: Assignment) {
        standing = WorkerStanding(generation: assignment.generation, rank: assignment.rank)
    }

    /// The generation goes on without this worker, which becomes a newcomer.
    mutating func leaveGeneration() { standing = nil }

    /// Keeps a report.
    ///
    /// - Returns: whether it is to be sent now: a newcomer has nothing to report of a generation,
    ///   and a member is known to be prepared.
    mutating func keep(_ message: WorkerMessage) -> Bool {
        switch message {
        case .prepared:
            isPrepared = true
            return standing == nil
        case .leaving(let request):
            leaveRequest = leaveRequest ?? request
            return true
        case .ready(let report): standing?.ready = report
        case .halted(let report): standing?.halted = report
        case .finished(let report): standing?.finished = report
        default: preconditionFailure("'\(message.name)' is no report that is kept")
        }
        return standing != nil
    }

    /// What a coordinator does not know that was given `known` with the hello.
    func missing(from known: WorkerStanding?) -> [WorkerMessage] {
        var messages: [WorkerMessage] = []
        if isPrepared, standing == nil { messages.append(.prepared) }
        if let leaveRequest { messages.append(.leaving(leaveRequest)) }
        if let ready = standing?.ready, ready != known?.ready { messages.append(.ready(ready)) }
        if let halted = standing?.halted, halted != known?.halted {
            messages.append(.halted(halted))
        }
        if let finished = standing?.finished, finished != known?.finished {
            messages.append(.finished(finished))
        }
        return messages
    }
}
