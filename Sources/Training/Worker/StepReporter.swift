import WireFormat

/// Gathers reports of steps; the first rank sends them a few times per second: a step may take a
/// millisecond, a message does not have to be sent for each. All workers keep them, because the
/// first rank may be lost with what it has not sent, and the coordinator with what it has not
/// written.
struct StepReporter {
    private static let interval = Duration.milliseconds(100)
    private static let countLimit = 256
    /// Reports kept; far more than can be missing when a process is lost and another takes its
    /// place.
    private static let historyLimit = 1 << 16

    private let link: CoordinatorLink
    private var history: [StepReport] = []
    /// The last evaluation, until the coordinator is known to have it.
    private var evaluation: EvaluationReport?
    /// Reports at the end of the history that are to be sent; 0 on all ranks but the first.
    private var pendingCount = 0
    private var lastSending = ContinuousClock.now
    private var isSending = false

    init(link: CoordinatorLink) { self.link = link }

    /// A new generation: whether this worker reports in it.
    mutating func begin(isSending: Bool) {
        self.isSending = isSending
        pendingCount = 0
    }

    mutating func add(_ report: StepReport) {
        if history.count >= Self.historyLimit { history.removeFirst(Self.historyLimit / 2) }
        history.append(report)
        guard isSending else { return }
        pendingCount = min(pendingCount + 1, history.count)
        if let record = link.takeMissingRecord() {
            repeatReports(after: record)
        } else if pendingCount >= Self.countLimit || .now - lastSending >= Self.interval {
            flush()
        }
    }

    mutating func add(_ report: EvaluationReport) {
        flush()
        evaluation = report
        if isSending { link.send(.evaluation(report)) }
    }

    /// Sends once more what a coordinator lacks.
    mutating func repeatReports(after record: RecordPosition) {
        let missing = history.drop { $0.step <= record.reportedStep }
        if !missing.isEmpty, link.send(.steps(StepReports(reports: Array(missing)))) {
            pendingCount = 0
        }
        if let evaluation, evaluation.step > record.evaluatedStep {
            link.send(.evaluation(evaluation))
        }
    }

    /// The steps after `step` will be computed again.
    mutating func rewind(to step: Int) {
        history.removeAll { $0.step > step }
        if let known = evaluation, known.step > step { evaluation = nil }
    }

    /// What nobody hears now is asked for later.
    mutating func flush() {
        lastSending = .now
        guard isSending, pendingCount > 0 else { return }
        if link.send(.steps(StepReports(reports: Array(history.suffix(pendingCount))))) {
            pendingCount = 0
        }
    }
}
