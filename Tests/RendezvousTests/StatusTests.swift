import Foundation
import Rendezvous
import Testing
import Transport
import WireFormat

private final class SilentDelegate: CoordinatorDelegate, @unchecked Sendable {
    func coordinatorListening(at address: SocketAddress) {}
    func workerJoined(_ worker: WorkerDescription) {}
    func workerLost(_ worker: WorkerDescription) {}
    func journal(_ journal: MembershipJournal) {}
    func generationOpened(_ generation: GenerationDescription) {}
    func stepsReported(_ reports: [StepReport]) {}
    func evaluationReported(_ report: EvaluationReport) {}
    func runIsEnding() {}
    func dealChanged(_ generation: GenerationDescription) {}
    func generationRunning(_ generation: GenerationDescription, pause: Duration?) {}
    func stateToRestore(step: Int) -> [(name: String, bytes: Data)] { [] }
    func checkpointReceived(step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]) {}
    func log(_ line: String) {}
}

private let deadline = Deadline.after(.seconds(30))

@Suite struct StatusTests {
    /// A coordinator that waits for two workers.
    private func withCoordinator(
        token: String? = nil, _ body: (SocketAddress) throws -> Void
    ) throws {
        let listener = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        let address = listener.localAddress
        let service = try CoordinatorService(
            listener: listener,
            settings: CoordinatorSettings(
                membership: MembershipSettings(
                    workerCount: 2, replicaCount: 4, productVersion: "1", joinToken: token,
                    arithmeticLevels: ["any"], startTimeout: .seconds(60),
                    heartbeatTimeout: .seconds(30)),
                configurationJSON: "{}", runName: "a run", totalSteps: 60),
            delegate: SilentDelegate())
        let ended = DispatchSemaphore(value: 0)
        let thread = Thread {
            _ = service.run()
            ended.signal()
        }
        thread.start()
        defer {
            service.requestAbort(exitCode: .failed, reason: "over")
            #expect(ended.wait(timeout: .now() + 30) == .success)
        }
        try body(address)
    }

    private func hello(token: String? = nil) -> WorkerHello {
        WorkerHello(
            productVersion: "1", hostName: "alpha", processID: 42, slot: 1, dataPort: 4000,
            arithmetic: "any", token: token, key: "k")
    }

    @Test func aQuestionForTheStatusIsAnsweredAndMakesNoWorker() throws {
        try withCoordinator { address in
            let empty = try StatusClient.ask(address, deadline: deadline)
            #expect(empty.run == "a run" && empty.state == "gathering")
            #expect(empty.workers == [] && empty.generation == 0 && empty.totalSteps == 60)
            #expect(empty.coordinatorPID == getpid())
            let worker = try WorkerSession.join(
                coordinator: address, hello: hello(), deadline: deadline)
            defer { worker.close() }
            worker.setProgress(WorkerHeartbeat(step: 3, phase: "data"))
            var seen = try StatusClient.ask(address, deadline: deadline)
            while seen.workers.first?.phase != "data" {
                try #require(!deadline.hasPassed)
                seen = try StatusClient.ask(address, deadline: deadline)
            }
            #expect(seen.workers.count == 1)
            let shown = try #require(seen.workers.first)
            #expect(
                shown.slot == 1 && shown.rank == nil && shown.pid == 42 && shown.host == "alpha")
            #expect(shown.step == 3 && shown.firstReplica == nil && shown.silenceSeconds < 30)
        }
    }

    @Test func theSecretIsAskedFor() throws {
        try withCoordinator(token: "secret") { address in
            #expect(throws: RendezvousError.self) {
                try StatusClient.ask(address, deadline: deadline)
            }
            let report = try StatusClient.ask(address, token: "secret", deadline: deadline)
            #expect(report.run == "a run")
        }
    }

    @Test func whereNothingListensNothingIsFound() throws {
        let listener = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        let address = listener.localAddress
        listener.close()
        do {
            _ = try StatusClient.ask(address, deadline: deadline)
            Issue.record("an answer from nowhere")
        } catch {
            #expect(error.code == .unreachable)
            #expect(error.message.hasPrefix("no coordinator can be reached at 127.0.0.1:"))
        }
    }

    @Test func whatIsNoCoordinatorIsSaidSo() throws {
        let listener = try Listener(SocketAddress(host: "127.0.0.1", port: 0))
        let thread = Thread {
            guard let connection = try? listener.accept(until: deadline) else { return }
            try? connection.sendAll(Array("HTTP/1.0 400 Bad Request\r\n\r\n".utf8), until: deadline)
            connection.close()
        }
        thread.start()
        do {
            _ = try StatusClient.ask(listener.localAddress, deadline: deadline)
            Issue.record("an answer from something else")
        } catch {
            #expect(error.code == .protocolViolation)
        }
    }

    @Test func answersAreBounded() throws {
        let worker = StatusReport.Worker(
            slot: 0, rank: 0, host: String(repeating: "h", count: 64), pid: 1, phase: "compute",
            step: 1 << 40, replicas: 0..<4, silence: .seconds(1))
        let report = StatusReport(
            run: "r", state: "running", generation: 1, startStep: 0, step: 1, totalSteps: 2,
            samplesPerSecond: 1, sinceStep: .zero, coordinatorPID: 1,
            workers: Array(repeating: worker, count: 5000))
        let bytes = try CoordinatorMessage.status(report).encoded()
        #expect(bytes.count <= ControlFrame.payloadByteCountLimit)
        #expect(try CoordinatorMessage(decoding: bytes) == .status(report))
        var bad = report
        bad.samplesPerSecond = .infinity
        #expect(throws: ControlMessageError.self) {
            try CoordinatorMessage.status(bad).encoded()
        }
    }
}
