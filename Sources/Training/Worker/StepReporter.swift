import Rendezvous
import WireFormat

/// Gathers reports of steps; the first rank sends them a few times per second: a step may take a millisecond,
/// a message does not have to be sent for each. All workers keep them, because the first rank may be lost
/// with what it has not sent.
struct StepReporter {
    private static let interval = Duration.milliseconds(100)
    private static let countLimit = 256
    /// Reports kept; far more than can be on their way when a worker is lost.
    private static let historyLimit = 1 << 16

    private let client: WorkerControlClient
    private var history: [StepReport] = []
    /// Reports at the end of the history that are to be sent; 0 on all ranks but the first.
    private var pendingCount = 0
    private var lastSending = ContinuousClock.now
    private var isSending = false

    init(client: WorkerControlClient) { self.client = client }

    /// A new generation: whether this worker reports in it.
    mutating func begin(isSending: Bool) {
        self.isSending = isSending
        pendingCount = 0
    }

    mutating func add(_ report: StepReport) throws(RendezvousError) {
        if history.count >= Self.historyLimit { history.removeFirst(Self.historyLimit / 2) }
        history.append(report)
        guard isSending else { return }
        pendingCount += 1
        if pendingCount >= Self.countLimit || .now - lastSending >= Self.interval { try flush() }
    }

    /// Sends what is known of the steps after `step` once more.
    mutating func repeatReports(after step: Int) throws(RendezvousError) {
        let missing = history.drop { $0.step <= step }
        if !missing.isEmpty { try client.sendSteps(Array(missing)) }
    }

    /// The steps after `step` will be computed again.
    mutating func rewind(to step: Int) { history.removeAll { $0.step > step } }

    mutating func flush() throws(RendezvousError) {
        lastSending = .now
        guard pendingCount > 0 else { return }
        try client.sendSteps(Array(history.suffix(pendingCount)))
        pendingCount = 0
    }
}
