// Joining over loopback: refusals by reason, a restart with another arithmetic, and a worker whose
// coordinator is missing, silent or gone.

import Foundation
import Rendezvous
import Testing
import Transport
import WireFormat

struct JoiningTests {
    private func code(_ body: () throws -> Void) -> RendezvousError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? RendezvousError)?.code
        }
    }

    @Test func refusalsArriveWithTheirReason() throws {
        let harness = try CoordinatorHarness(
            CoordinatorHarness.settings(replicaCount: 2, requiredArithmetic: "middle"))
        #expect(
            code { _ = try harness.join(5, version: "2.0") } == .refused(.versionMismatch))
        #expect(
            code { _ = try harness.join(5, arithmetic: "low") } == .refused(.arithmeticMismatch))
        #expect(
            code { _ = try harness.join(5, arithmetic: "high") } == .restart(arithmetic: "middle"))
        let members = try (0..<2).map { try harness.join($0, arithmetic: "middle") }
        for member in members { _ = try member.awaitAssignment(deadline: .after(patience)) }
        #expect(
            throws: RendezvousError(
                .refused(.runFull),
                "the coordinator refused this worker: 2 workers take part, one for each replica")
        ) { try harness.join(5, arithmetic: "middle") }
        harness.service.requestAbort(exitCode: .failed, reason: "enough")
        #expect(try harness.outcome() == .failed(exitCode: .failed, message: "enough"))
        // A session that is let go of leaves the run.
        withExtendedLifetime(members) {}
    }

    @Test func differingWorkersMeetAtTheLowestArithmetic() throws {
        let harness = try CoordinatorHarness()
        let levels = ["high", "low"]
        let workers = (0..<2).map { slot in
            Background {
                var arithmetic = levels[slot]
                while true {
                    do {
                        let client = try harness.join(slot, arithmetic: arithmetic, slot: slot)
                        let assignment = try client.awaitAssignment(deadline: .after(patience))
                        try client.send(
                            .ready(
                                ReadyReport(generation: 1, step: 0, weightsDigest: "start")))
                        try client.send(.finished(report()))
                        try client.awaitEnd(deadline: .after(patience))
                        return "\(assignment.rank) \(assignment.arithmetic)"
                    } catch let error as RendezvousError {
                        guard case .restart(let lower) = error.code, lower != arithmetic else {
                            throw error
                        }
                        arithmetic = lower
                    }
                }
            }
        }
        #expect(try workers.map { try $0.value() } == ["0 low", "1 low"])
        #expect(try harness.outcome() == .finished(report()))
    }

    /// A port on which no process listens.
    private func freeAddress() throws -> SocketAddress {
        let listener = try Listener(try SocketAddress(host: "127.0.0.1", port: 0))
        defer { listener.close() }
        return listener.localAddress
    }

    @Test func aMissingCoordinatorIsReportedAtTheDeadline() throws {
        let address = try freeAddress()
        var waits = 0
        #expect(
            code {
                _ = try WorkerSession.join(
                    coordinator: address, hello: hello(1), deadline: .after(.milliseconds(500)),
                    onWaiting: { waits += 1 })
            } == .unreachable)
        #expect(waits == 1)
    }

    @Test func aWorkerWaitsForACoordinatorThatIsStartedLater() throws {
        let address = try freeAddress()
        let isWaiting = DispatchSemaphore(value: 0)
        let joining = Background {
            let client = try WorkerSession.join(
                coordinator: address, hello: hello(1), deadline: .after(patience),
                onWaiting: { isWaiting.signal() })
            try client.send(.prepared)
            return client
        }
        #expect(isWaiting.wait(timeout: .now() + 10) == .success)
        let harness = try CoordinatorHarness(
            CoordinatorHarness.settings(workerCount: 1), address: address)
        let client = try joining.value()
        #expect(try client.awaitAssignment(deadline: .after(patience)).rank == 0)
        harness.service.requestAbort(exitCode: .failed, reason: "enough")
        #expect(client.awaitLoss()?.message == "enough")
        #expect(try harness.outcome() == .failed(exitCode: .failed, message: "enough"))
    }

    // MARK: - A coordinator that behaves badly

    /// Accepts one worker, welcomes it and hands the connection over.
    private func welcomed(
        timeout: Duration
    ) throws -> (client: WorkerSession, coordinator: Connection) {
        let listener = try Listener(try SocketAddress(host: "127.0.0.1", port: 0))
        let address = listener.localAddress
        let joining = Background {
            try WorkerSession.join(
                coordinator: address, hello: hello(1), deadline: .after(patience))
        }
        let connection = try listener.accept(until: .after(patience))
        let welcome = CoordinatorMessage.welcome(
            RunDescription(
                configurationJSON: "{}", runToken: "0123", heartbeatInterval: .milliseconds(20),
                heartbeatTimeout: timeout))
        try connection.sendAll(
            try ControlFrame(kind: .message, payload: try welcome.encoded()).encoded(),
            until: .after(patience))
        return (try joining.value(), connection)
    }

    @Test func aLostCoordinatorIsNoticedAtOnce() throws {
        let (client, coordinator) = try welcomed(timeout: .seconds(20))
        let noticed = DispatchSemaphore(value: 0)
        client.onConnectionLost { error in
            if error.code == .coordinatorLost { noticed.signal() }
        }
        let waiting = Background { try client.awaitAssignment(deadline: .after(patience)) }
        coordinator.close()
        #expect(noticed.wait(timeout: .now() + 10) == .success)
        #expect(code { _ = try waiting.value() } == .coordinatorLost)
        #expect(
            code {
                try client.send(.ready(ReadyReport(generation: 1, step: 0, weightsDigest: "a")))
            }
                == .coordinatorLost)
        let late = DispatchSemaphore(value: 0)
        client.onConnectionLost { _ in late.signal() }
        #expect(late.wait(timeout: .now() + 10) == .success)
    }

    @Test func aCoordinatorThatNeitherReadsNorSendsBlocksNoWorkerForEver() throws {
        let (client, coordinator) = try welcomed(timeout: .milliseconds(500))
        // Far more than the client's queue and the kernel's buffers hold.
        let bytes = Data(count: 64 << 20)
        #expect(
            code { try client.sendCheckpoint(step: 1, isFinal: false, files: [("a", bytes)]) }
                == .coordinatorSilent)
        coordinator.close()
    }

    @Test func aCoordinatorThatSpeaksNonsenseIsLeft() throws {
        let (client, coordinator) = try welcomed(timeout: .seconds(20))
        try coordinator.sendAll(Array("HTTP/1.1 400 Bad Request\r\n".utf8), until: .after(patience))
        #expect(
            code { _ = try client.awaitAssignment(deadline: .after(patience)) }
                == .protocolViolation)
        coordinator.close()
    }

    @Test func waitingEndsAtTheDeadline() throws {
        let (client, coordinator) = try welcomed(timeout: .seconds(20))
        #expect(client.awaitLoss(within: .milliseconds(10)) == nil)
        #expect(
            throws: RendezvousError(.timedOut, "waited too long for an assignment")
        ) { try client.awaitAssignment(deadline: .after(.milliseconds(10))) }
        coordinator.close()
    }
}
