import Rendezvous
import WireFormat

/// Gathers reports of steps and sends them a few times per second: a step may take a millisecond, a
/// message does not have to be sent for each.
struct StepReporter {
    private static let interval = Duration.milliseconds(100)
    private static let countLimit = 256

    private let client: WorkerControlClient
    private var reports: [StepReport] = []
    private var lastSending = ContinuousClock.now

    init(client: WorkerControlClient) { self.client = client }

    mutating func add(_ report: StepReport) throws(RendezvousError) {
        reports.append(report)
        let now = ContinuousClock.now
        if reports.count >= Self.countLimit || now - lastSending >= Self.interval {
            try flush()
        }
    }

    mutating func flush() throws(RendezvousError) {
        lastSending = .now
        guard !reports.isEmpty else { return }
        try client.sendSteps(reports)
        reports.removeAll(keepingCapacity: true)
    }
}
