// Whole runs over loopback: a coordinator's thread and workers as threads of this process, from the
// first hello to the orderly end, and the ways in which a run fails.

import ExitCodes
import Foundation
import Rendezvous
import Testing
import Transport
import WireFormat

struct CoordinatorRunTests {
    @Test func aRunFromJoinToEnd() throws {
        let harness = try CoordinatorHarness(
            CoordinatorHarness.settings(workerCount: 3, replicaCount: 4))
        // Larger than the client's queue, so that the upload has to wait for the coordinator.
        let weights = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let workers = (0..<3).map { slot in
            harness.worker(slot: slot) { client, assignment in
                client.setProgress(WorkerHeartbeat(step: 2, phase: "step"))
                // Only rank 0's metrics stand for the run; all send them here.
                try client.send(.steps(StepReports(reports: (1...2000).map(stepReport))))
                try client.send(
                    .evaluation(
                        EvaluationReport(
                            step: 2000, epoch: 1, sampleCount: 10, figures: [0.9, 0.3],
                            seconds: 1)))
                if assignment.rank == 0 {
                    try client.sendCheckpoint(
                        step: 2000, isFinal: true,
                        files: [("model.safetensors", weights), ("empty", Data())])
                }
                try client.send(.finished(report(bytes: 100 + slot)))
                try client.awaitEnd(deadline: .after(patience))
                return (client.description, assignment)
            }
        }
        let results = try workers.map { try $0.value() }
        #expect(try harness.outcome() == .finished(report(bytes: 102)))

        let seen = harness.delegate.seen
        #expect(seen.steps.map(\.step) == Array(1...2000))
        #expect(seen.evaluations.map(\.figures) == [[0.9, 0.3]])
        #expect(seen.checkpoints.count == 1)
        #expect(seen.checkpoints.first?.files.map(\.name) == ["model.safetensors", "empty"])
        #expect(seen.checkpoints.first?.files.map(\.bytes) == [weights, Data()])
        #expect(seen.generations.map(\.deal.ranges) == [[0..<2, 2..<3, 3..<4]])
        #expect(Set(seen.joined.map(\.processID)) == [100, 101, 102])

        for (slot, (description, assignment)) in results.enumerated() {
            #expect(assignment.rank == slot)
            #expect(assignment.addresses == (0..<3).map { "127.0.0.1:\(4000 + $0)" })
            #expect(assignment.startStep == 0)
            #expect(!assignment.stateFollows)
            #expect(description.configurationJSON == "{\"seed\":1}")
            #expect(description.runToken.count == 32)
            #expect(description.runToken == results[0].0.runToken)
        }
    }

    @Test func aResumedRunHandsTheStateToRankZero() throws {
        var settings = CoordinatorHarness.settings()
        settings.membership.startStep = 40
        settings.stopAfterStep = 60
        let weights = Data(repeating: 7, count: 5_000_000)
        settings.resumeState = [("model.safetensors", weights), ("manifest.json", Data("{}".utf8))]
        let harness = try CoordinatorHarness(settings)
        let workers = (0..<2).map { slot in
            Background {
                let client = try harness.join(slot, slot: slot)
                let assignment = try client.awaitAssignment(deadline: .after(patience))
                var files: [TransferredFile] = []
                if assignment.stateFollows {
                    files = try client.awaitState(deadline: .after(patience))
                }
                try client.send(
                    .ready(
                        ReadyReport(
                            generation: 1, step: assignment.startStep, weightsDigest: "start")))
                try client.send(.finished(report()))
                try client.awaitEnd(deadline: .after(patience))
                return (assignment, files)
            }
        }
        let results = try workers.map { try $0.value() }
        #expect(try harness.outcome() == .finished(report()))
        #expect(results.map(\.0.stateFollows) == [true, false])
        #expect(results.map(\.0.startStep) == [40, 40])
        #expect(results.map(\.0.stopAfterStep) == [60, 60])
        #expect(results[0].1.map(\.name) == ["model.safetensors", "manifest.json"])
        #expect(results[0].1.map(\.bytes) == [weights, Data("{}".utf8)])
    }

    @Test func aStopReachesEveryWorkerAndEndsStopped() throws {
        let harness = try CoordinatorHarness()
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, assignment in
                if assignment.rank == 0 {
                    try client.send(.steps(StepReports(reports: [stepReport(1)])))
                }
                let reason = try client.awaitStop()
                try client.send(.finished(report(stopped: true)))
                try client.awaitEnd(deadline: .after(patience))
                return reason
            }
        }
        #expect(harness.delegate.wait { !$0.steps.isEmpty })
        harness.service.requestStop(reason: "interrupted")
        harness.service.requestStop(reason: "again")
        #expect(try workers.map { try $0.value() } == ["interrupted", "interrupted"])
        #expect(try harness.outcome() == .stopped(report(stopped: true)))
    }

    @Test func aStopBeforeTheStartEndsAtOnce() throws {
        let harness = try CoordinatorHarness()
        harness.service.requestStop(reason: "interrupted")
        #expect(
            try harness.outcome()
                == .failed(
                    exitCode: .interrupted, message: "interrupted: stopped before the first step"))
    }

    @Test func anAbortReachesEveryWorker() throws {
        let harness = try CoordinatorHarness()
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, _ in
                try client.awaitEnd(deadline: .after(patience))
            }
        }
        #expect(harness.delegate.wait { $0.running == [1] })
        harness.service.requestAbort(exitCode: .data, reason: "the data is gone")
        for worker in workers {
            #expect(throws: RendezvousError(.aborted(exitCode: .data), "the data is gone")) {
                try worker.value()
            }
        }
        #expect(try harness.outcome() == .failed(exitCode: .data, message: "the data is gone"))
    }

    // MARK: - Failing

    /// A worker that is asked to leave its ring and then finishes in the next one.
    private static func survive(
        _ client: WorkerSession, _ assignment: Assignment, kept: [Int]
    ) throws -> Assignment {
        let halted = DispatchSemaphore(value: 0)
        client.onHalt { generation in
            if generation == assignment.generation { halted.signal() }
        }
        guard halted.wait(timeout: .now() + (patience / .seconds(1))) == .success else {
            throw Background<Void>.Overdue()
        }
        try client.send(
            .halted(
                HaltReport(
                    generation: assignment.generation, step: 38, hasState: true, keptReplicas: kept,
                    cause: "shut down", suspect: nil)))
        let next = try client.awaitAssignment(deadline: .after(patience))
        try client.send(
            .ready(
                ReadyReport(generation: next.generation, step: next.startStep, weightsDigest: "38"))
        )
        try client.send(.finished(report()))
        try client.awaitEnd(deadline: .after(patience))
        return next
    }

    @Test func theRunGoesOnWithoutAWorkerThatVanishes() throws {
        let harness = try CoordinatorHarness()
        let survivor = harness.worker(slot: 0) { client, assignment in
            try Self.survive(client, assignment, kept: [0])
        }
        let leaver = harness.worker(slot: 1) { client, _ in
            client.setProgress(WorkerHeartbeat(step: 37, phase: "backward"))
            // In mid-run: the survivor is ready and listens.
            guard harness.delegate.wait(until: { $0.running == [1] })
            else { throw Background<Void>.Overdue() }
            client.close()
        }
        try leaver.value()
        let next = try survivor.value()
        #expect(try harness.outcome() == .finished(report()))
        #expect(next.generation == 2 && next.rank == 0 && next.root == 0)
        #expect(next.deal.ranges == [0..<4])
        #expect(next.startStep == 38 && next.transfer == .none && !next.stateFollows)
        let seen = harness.delegate.seen
        #expect(seen.running == [1, 2])
        #expect(
            seen.lines.contains {
                $0.hasPrefix("lost worker 1 (host host1, pid 101)")
                    && $0.hasSuffix(": its connection was closed")
            })
    }

    @Test func aSilentWorkerIsFoundByItsSilence() throws {
        let harness = try CoordinatorHarness(
            CoordinatorHarness.settings(interval: .milliseconds(50), timeout: .seconds(2)))
        let healthy = harness.worker(slot: 0) { client, assignment in
            try Self.survive(client, assignment, kept: [])
        }
        let silent = try RawPeer(harness.address)
        try silent.send(.hello(hello(1, slot: 1)))
        try silent.send(.prepared)
        try silent.send(.heartbeat(WorkerHeartbeat(step: 5, phase: "forward")))
        #expect(try healthy.value().worldSize == 1)
        #expect(try harness.outcome() == .finished(report()))
        #expect(
            harness.delegate.seen.lines.contains(
                "lost worker 1 (host host1, pid 101) after step 5 (forward): no sign of life for "
                    + "2 s; its process may be suspended or its host cut off"))
        #expect(silent.isClosedByPeer())
    }

    @Test func aNewcomerIsTakenInAfterTheStep() throws {
        let harness = try CoordinatorHarness(CoordinatorHarness.settings(workerCount: 1))
        let first = harness.worker(slot: 0) { client, assignment in
            try client.awaitPause(generation: assignment.generation)
            try client.send(
                .halted(
                    HaltReport(
                        generation: assignment.generation, step: 12, hasState: true,
                        keptReplicas: [],
                        cause: nil, suspect: nil)))
            let next = try client.awaitAssignment(deadline: .after(patience))
            // The newcomer's digest is that of the state that it was given.
            try client.send(.ready(ReadyReport(generation: 2, step: 12, weightsDigest: "start")))
            try client.send(.finished(report()))
            try client.awaitEnd(deadline: .after(patience))
            return next
        }
        #expect(harness.delegate.wait { $0.running == [1] })
        let newcomer = harness.worker(slot: 3) { client, assignment in
            try client.send(.finished(report()))
            try client.awaitEnd(deadline: .after(patience))
            return assignment
        }
        let assignments = [try first.value(), try newcomer.value()]
        #expect(assignments.map(\.rank) == [0, 1])
        for assignment in assignments {
            #expect(assignment.generation == 2 && assignment.startStep == 12)
            #expect(assignment.transfer == .state && assignment.root == 0)
            #expect(assignment.deal.ranges == [0..<2, 2..<4])
        }
        #expect(try harness.outcome() == .finished(report()))
    }

    @Test func aWorkerThatAsksToLeaveIsLetGoAfterTheStep() throws {
        let harness = try CoordinatorHarness()
        let paused = { @Sendable (client: WorkerSession, assignment: Assignment) in
            try client.awaitPause(generation: assignment.generation)
            try client.send(
                .halted(
                    HaltReport(
                        generation: assignment.generation, step: 12, hasState: true,
                        keptReplicas: [],
                        cause: nil, suspect: nil)))
        }
        let stayer = harness.worker(slot: 0) { client, assignment in
            try paused(client, assignment)
            let next = try client.awaitAssignment(deadline: .after(patience))
            try client.send(.ready(ReadyReport(generation: 2, step: 12, weightsDigest: "12")))
            try client.send(.finished(report()))
            try client.awaitEnd(deadline: .after(patience))
            return next
        }
        let leaver = harness.worker(slot: 1) { client, assignment in
            guard harness.delegate.wait(until: { $0.running == [1] })
            else { throw Background<Void>.Overdue() }
            try client.send(.leaving(LeaveRequest(reason: "it was asked to")))
            try paused(client, assignment)
            try client.awaitEnd(deadline: .after(patience))
        }
        try leaver.value()
        let next = try stayer.value()
        #expect(next.worldSize == 1 && next.startStep == 12 && next.transfer == .none)
        #expect(try harness.outcome() == .finished(report()))
        #expect(
            harness.delegate.seen.lines.contains(
                "worker 1 (host host1, pid 101) has left: it was asked to"))
        #expect(harness.delegate.seen.lost.isEmpty)
    }

    @Test func whenAllAreLostTheLastCheckpointIsHandedOut() throws {
        let harness = try CoordinatorHarness()
        let weights = Data(repeating: 9, count: 300_000)
        let victims = (0..<2).map { slot in
            harness.worker(slot: slot) { client, assignment in
                if assignment.rank == 0 {
                    try client.sendCheckpoint(step: 7, isFinal: false, files: [("a", weights)])
                }
                guard harness.delegate.wait(until: { !$0.checkpoints.isEmpty })
                else { throw Background<Void>.Overdue() }
                client.close()
            }
        }
        for victim in victims { try victim.value() }
        let again = (0..<2).map { slot in
            Background {
                let client = try harness.join(slot, slot: slot)
                let assignment = try client.awaitAssignment(deadline: .after(patience))
                let files =
                    assignment.stateFollows
                    ? try client.awaitState(deadline: .after(patience)) : []
                try client.send(
                    .ready(
                        ReadyReport(
                            generation: assignment.generation, step: assignment.startStep,
                            weightsDigest: "7")))
                try client.send(.finished(report()))
                try client.awaitEnd(deadline: .after(patience))
                return (assignment, files)
            }
        }
        let results = try again.map { try $0.value() }
        #expect(try harness.outcome() == .finished(report()))
        #expect(harness.delegate.seen.lost.map(\.slot).sorted() == [0, 1])
        #expect(results.map(\.0.startStep) == [7, 7])
        #expect(results.map(\.0.transfer) == [.state, .state])
        // Who comes back first is nobody's choice: the root is one of the two, and gets the state.
        let roots = results.filter(\.0.stateFollows)
        #expect(roots.count == 1)
        #expect(roots.first?.1.map(\.bytes) == [weights])
    }

    @Test func aWorkersOwnFailureEndsTheRunWithItsExitCode() throws {
        let harness = try CoordinatorHarness()
        let other = harness.worker(slot: 0) { client, _ in
            try client.awaitEnd(deadline: .after(patience))
        }
        let failing = harness.worker(slot: 1) { client, _ in
            client.sendFailure(exitCode: .data, message: "train-images is truncated")
        }
        try failing.value()
        let message = "worker 1 (host host1, pid 101) failed: train-images is truncated"
        #expect(try harness.outcome() == .failed(exitCode: .data, message: message))
        #expect(throws: RendezvousError(.aborted(exitCode: .data), message)) { try other.value() }
    }

    @Test func differingWeightsFailTheRun() throws {
        let harness = try CoordinatorHarness()
        let workers = [
            harness.finishingWorker(slot: 0, digest: "aaa"),
            harness.finishingWorker(slot: 1, digest: "bbb"),
        ]
        let message =
            "the workers' weights differ at the end: worker 0 has aaa at step 60; worker 1 has bbb "
            + "at step 60"
        #expect(try harness.outcome() == .failed(exitCode: .failed, message: message))
        for worker in workers { #expect(throws: RendezvousError.self) { try worker.value() } }
    }

    @Test func aCheckpointOnTheWayThatCannotBeStoredIsDoneWithout() throws {
        let harness = try CoordinatorHarness(
            delegate: RecordingDelegate(refusesCheckpoints: true))
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, assignment in
                if assignment.rank == 0 {
                    try client.sendCheckpoint(step: 9, isFinal: false, files: [("a", Data([1]))])
                }
                try client.send(.finished(report()))
                try client.awaitEnd(deadline: .after(patience))
            }
        }
        #expect(try harness.outcome() == .finished(report()))
        for worker in workers { try worker.value() }
        #expect(
            harness.delegate.seen.lines.contains(
                "warning: cannot store the checkpoint of step 9: disk full; training goes on without it"
            ))
    }

    @Test(arguments: [true, false])
    func theLastCheckpointThatCannotBeStoredFailsTheRun(isFinal: Bool) throws {
        let harness = try CoordinatorHarness(
            delegate: RecordingDelegate(refusesCheckpoints: true))
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, assignment in
                if assignment.rank == 0 {
                    if !isFinal {
                        harness.service.requestStop(reason: "interrupted")
                        _ = try client.awaitStop()
                    }
                    try client.sendCheckpoint(step: 9, isFinal: isFinal, files: [("a", Data([1]))])
                }
                try client.awaitEnd(deadline: .after(patience))
            }
        }
        #expect(
            try harness.outcome()
                == .failed(
                    exitCode: .failed, message: "cannot store the checkpoint of step 9: disk full"))
        for worker in workers { #expect(throws: RendezvousError.self) { try worker.value() } }
    }

    @Test func stepsThatCannotBeRecordedStopTheRunWithACheckpoint() throws {
        let harness = try CoordinatorHarness(delegate: RecordingDelegate(refusesSteps: true))
        let workers = (0..<2).map { slot in
            harness.worker(slot: slot) { client, assignment in
                if assignment.rank == 0 {
                    try client.send(.steps(StepReports(reports: [stepReport(1)])))
                }
                let reason = try client.awaitStop()
                if assignment.rank == 0 {
                    try client.sendCheckpoint(step: 1, isFinal: false, files: [("a", Data([1]))])
                }
                try client.send(.finished(report(stopped: true)))
                try client.awaitEnd(deadline: .after(patience))
                return reason
            }
        }
        #expect(try workers.map { try $0.value() } == ["disk full", "disk full"])
        #expect(try harness.outcome() == .stopped(report(stopped: true)))
        #expect(harness.delegate.seen.checkpoints.map(\.step) == [1])
    }

    @Test func aMemberThatBreaksTheProtocolIsLeftOut() throws {
        let harness = try CoordinatorHarness()
        let other = harness.worker(slot: 0) { client, assignment in
            try Self.survive(client, assignment, kept: [0, 1])
        }
        let bad = try RawPeer(harness.address)
        try bad.send(.hello(hello(1, slot: 1)))
        try bad.send(.prepared)
        #expect(harness.delegate.wait { !$0.generations.isEmpty })
        // Only rank 0 may send files.
        try bad.send(
            .checkpointBegin(CheckpointHeader(step: 1, isFinal: false, files: [])))
        #expect(try other.value().worldSize == 1)
        #expect(try harness.outcome() == .finished(report()))
        #expect(
            harness.delegate.seen.lines.contains(
                "lost worker 1 (host host1, pid 101): it broke the protocol: an unexpected "
                    + "'checkpointBegin'"))
        #expect(bad.isClosedByPeer())
    }

    @Test func impossibleSettingsEndTheRunBeforeItBegins() throws {
        let tooFew = try CoordinatorHarness(
            CoordinatorHarness.settings(workerCount: 3, replicaCount: 2))
        #expect(
            try tooFew.outcome()
                == .failed(
                    exitCode: .usage,
                    message: "3 workers cannot share 2 replicas: use at most 2 workers or raise "
                        + "'replicas' in the configuration"))
        var settings = CoordinatorHarness.settings()
        settings.configurationJSON = String(repeating: "x", count: 2 << 20)
        guard case .failed(.usage, let message) = try CoordinatorHarness(settings).outcome() else {
            Issue.record("an oversize configuration was taken")
            return
        }
        #expect(message.hasPrefix("the configuration cannot be sent to workers: "))
    }
}
