// A coordinator on a loopback port of the system's choice, with a delegate that remembers, and
// workers as threads. Every wait has a deadline that a healthy run never comes near.

import Foundation
import Rendezvous
import Transport
import WireFormat

/// Far above what any step of these tests takes, so that it only ends what hangs.
let patience = Duration.seconds(30)

/// A value that a thread computes.
final class Background<Value: Sendable>: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    // Written before `done` is signalled, read after it was waited for.
    private var result: Result<Value, any Error>?

    init(_ body: @escaping @Sendable () throws -> Value) {
        let thread = Thread { [self] in
            result = Result { try body() }
            done.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }

    struct Overdue: Error {}

    func value() throws -> Value {
        guard done.wait(timeout: .now() + (patience / .seconds(1))) == .success, let result else {
            throw Overdue()
        }
        done.signal()
        return try result.get()
    }
}

/// Remembers everything; read it after the run, or wait for a line of the log.
final class RecordingDelegate: CoordinatorDelegate, @unchecked Sendable {
    struct Refused: Error, CustomStringConvertible {
        var description: String { "disk full" }
    }
    struct Record {
        var joined: [WorkerDescription] = []
        var lost: [WorkerDescription] = []
        var generations: [GenerationDescription] = []
        var deals: [ReplicaDeal] = []
        var running: [UInt32] = []
        var journals: [MembershipJournal] = []
        var steps: [StepReport] = []
        var evaluations: [EvaluationReport] = []
        var checkpoints: [(step: Int, isFinal: Bool, files: [TransferredFile])] = []
        var lines: [String] = []
    }

    private let condition = NSCondition()
    private var record = Record()
    private let refusesCheckpoints: Bool
    private let refusesSteps: Bool

    init(refusesCheckpoints: Bool = false, refusesSteps: Bool = false) {
        self.refusesCheckpoints = refusesCheckpoints
        self.refusesSteps = refusesSteps
    }

    var seen: Record {
        condition.lock()
        defer { condition.unlock() }
        return record
    }

    private func change(_ body: (inout Record) -> Void) {
        condition.lock()
        body(&record)
        condition.broadcast()
        condition.unlock()
    }

    /// Waits until the record is as asked for; false when it does not become so.
    func wait(until isTrue: (Record) -> Bool) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let end = Date(timeIntervalSinceNow: patience / .seconds(1))
        while !isTrue(record) {
            if !condition.wait(until: end) { return false }
        }
        return true
    }

    func coordinatorListening(at address: SocketAddress) {}
    func workerJoined(_ worker: WorkerDescription) { change { $0.joined.append(worker) } }
    func workerLost(_ worker: WorkerDescription) { change { $0.lost.append(worker) } }
    func generationOpened(_ generation: GenerationDescription) {
        change { $0.generations.append(generation) }
    }
    func journal(_ journal: MembershipJournal) { change { $0.journals.append(journal) } }
    func runIsEnding() {}
    func dealChanged(_ generation: GenerationDescription) {
        change { $0.deals.append(generation.deal) }
    }
    func generationRunning(_ generation: GenerationDescription, pause: Duration?) {
        change { $0.running.append(generation.number) }
    }
    func stateToRestore(step: Int) throws -> [(name: String, bytes: Data)] {
        seen.checkpoints.last { $0.step == step }?.files ?? []
    }
    func stepsReported(_ reports: [StepReport]) throws {
        if refusesSteps { throw Refused() }
        change { $0.steps += reports }
    }
    func evaluationReported(_ report: EvaluationReport) {
        change { $0.evaluations.append(report) }
    }
    func checkpointReceived(
        step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]
    ) throws {
        if refusesCheckpoints { throw Refused() }
        change { $0.checkpoints.append((step, isFinal, files)) }
    }
    func log(_ line: String) { change { $0.lines.append(line) } }
}

/// A running coordinator.
struct CoordinatorHarness {
    let address: SocketAddress
    let service: CoordinatorService
    let delegate: RecordingDelegate
    private let running: Background<RunOutcome>

    static func settings(
        workerCount: Int = 2, replicaCount: Int = 4, interval: Duration = .milliseconds(100),
        timeout: Duration = .seconds(20), requiredArithmetic: String? = nil
    ) -> CoordinatorSettings {
        var membership = MembershipHarness.settings(
            workerCount: workerCount, replicaCount: replicaCount,
            requiredArithmetic: requiredArithmetic)
        membership.startTimeout = patience
        membership.heartbeatTimeout = timeout
        return CoordinatorSettings(
            membership: membership, configurationJSON: "{\"seed\":1}", heartbeatInterval: interval)
    }

    init(
        _ settings: CoordinatorSettings = CoordinatorHarness.settings(),
        delegate: RecordingDelegate = RecordingDelegate(), address: SocketAddress? = nil
    ) throws {
        let listener = try Listener(address ?? SocketAddress(host: "127.0.0.1", port: 0))
        self.address = listener.localAddress
        self.delegate = delegate
        let service = try CoordinatorService(
            listener: listener, settings: settings, delegate: delegate)
        self.service = service
        running = Background { service.run() }
    }

    func outcome() throws -> RunOutcome {
        try running.value()
    }

    func join(
        _ number: Int, arithmetic: String = "high", slot: Int? = nil, version: String = "1.0"
    ) throws -> WorkerSession {
        let client = try WorkerSession.join(
            coordinator: address,
            hello: hello(number, arithmetic: arithmetic, slot: slot, version: version),
            deadline: .after(patience))
        try client.send(.prepared)
        return client
    }

    /// A worker as a thread: joins for the slot, becomes ready, then runs `body`.
    func worker<Value: Sendable>(
        slot: Int,
        _ body: @escaping @Sendable (WorkerSession, Assignment) throws -> Value
    ) -> Background<Value> {
        Background { [self] in
            let client = try join(slot, slot: slot)
            let assignment = try client.awaitAssignment(deadline: .after(patience))
            try client.send(
                .ready(
                    ReadyReport(
                        generation: assignment.generation, step: assignment.startStep,
                        weightsDigest: "start")))
            return try body(client, assignment)
        }
    }

    /// A worker that finishes at once with a digest and waits for the end.
    func finishingWorker(slot: Int, digest: String = "bbb") -> Background<Void> {
        worker(slot: slot) { client, _ in
            try client.send(.finished(report(digest: digest)))
            try client.awaitEnd(deadline: .after(patience))
        }
    }
}

extension WorkerSession {
    struct Unexpected: Error {}

    func awaitAssignment(deadline: Deadline) throws -> Assignment {
        guard case .assignment(let assignment) = try awaitNext(deadline: deadline) else {
            throw Unexpected()
        }
        return assignment
    }

    func awaitEnd(deadline: Deadline) throws {
        guard case .end = try awaitNext(deadline: deadline) else { throw Unexpected() }
    }
}

extension WorkerSession {
    /// Asks again and again until there is an answer; nil when there is none in time.
    func awaitAnswer<Value>(within limit: Duration = patience, _ ask: () -> Value?) -> Value? {
        let deadline = Deadline.after(limit)
        let pause = DispatchSemaphore(value: 0)
        while true {
            if let answer = ask() { return answer }
            if deadline.hasPassed { return nil }
            _ = pause.wait(timeout: .now() + 0.005)
        }
    }

    /// Waits for the request to stop; answers with its reason.
    func awaitStop() throws -> String {
        guard let reason = awaitAnswer({ stopReason }) else { throw Unexpected() }
        return reason
    }

    func awaitPause(generation: UInt32) throws {
        guard awaitAnswer({ isPauseRequested(generation: generation) ? true : nil }) != nil else {
            throw Unexpected()
        }
    }

    /// Waits for the loss of the coordinator, or its abort.
    func awaitLoss(within limit: Duration = patience) -> RendezvousError? {
        let lost = DispatchSemaphore(value: 0)
        let loss = Loss()
        onConnectionLost { error in
            loss.error = error
            lost.signal()
        }
        return lost.wait(timeout: .now() + (limit / .seconds(1))) == .success ? loss.error : nil
    }
}

/// Written before a semaphore is signalled, read after it was waited for.
private final class Loss: @unchecked Sendable {
    var error: RendezvousError?
}

/// A connection without a session behind it, for peers that behave badly.
struct RawPeer {
    let connection: Connection

    init(_ address: SocketAddress) throws {
        connection = try Connection.connect(to: address, until: .after(patience))
    }

    func send(_ bytes: [UInt8]) throws {
        try connection.sendAll(bytes, until: .after(patience))
    }

    func send(_ message: WorkerMessage) throws {
        try send(
            try ControlFrame(kind: .message, payload: try message.encoded()).encoded())
    }

    /// Reads until the other side closes; false when it does not.
    func isClosedByPeer() -> Bool {
        do {
            while true { _ = try connection.receiveExactly(1, until: .after(patience)) }
        } catch {
            return error.code == .closed
        }
    }
}

func stepReport(_ step: Int) -> StepReport {
    StepReport(
        step: step, epoch: 1, lossSum: 1, sampleCount: 4, sums: [2], seconds: 0.01,
        learningRate: 0.1)
}
