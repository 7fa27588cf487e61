import Foundation
import Rendezvous
import Testing
import WireFormat

/// A membership of three that runs, watched, with a clock that a test moves.
private struct Watched {
    let origin = ContinuousClock.now
    var elapsed = Duration.zero
    var membership: Membership
    var watch: StallWatch
    var states: [Int32: ProcessState] = [:]

    var now: ContinuousClock.Instant { origin + elapsed }

    init() {
        membership = Membership(
            settings: MembershipSettings(
                workerCount: 3, replicaCount: 4, productVersion: "1", arithmeticLevels: ["any"],
                startTimeout: .seconds(30), heartbeatTimeout: .seconds(3600)), now: origin)
        watch = StallWatch(heartbeatInterval: .milliseconds(250), now: origin)
        for number in 0..<3 {
            handle(
                .joined(
                    MemberID(number),
                    WorkerHello(
                        productVersion: "1", hostName: "alpha", processID: Int32(100 + number),
                        slot: number, dataPort: 4000, arithmetic: "any", token: nil,
                        key: "k\(number)")))
            handle(.prepared(MemberID(number)))
        }
        for number in 0..<3 {
            handle(
                .ready(
                    MemberID(number), ReadyReport(generation: 1, step: 0, weightsDigest: "same")))
        }
        watch.restart(now: now)
    }

    mutating func handle(_ event: Membership.Event) { _ = membership.handle(event, now: now) }

    mutating func commit(_ step: Int, seconds: Double = 0.25) {
        watch.committed(
            [
                StepReport(
                    step: step, epoch: 1, lossSum: 1, sampleCount: 64,
                    seconds: seconds, learningRate: 0.1)
            ], now: now)
    }

    /// Time goes by while workers show what they do; answers with the lines that were due.
    mutating func pass(_ seconds: Double, _ phases: [Int: String], step: Int = 7) -> [String] {
        var lines: [String] = []
        let end = elapsed + .seconds(seconds)
        while elapsed < end {
            elapsed += .milliseconds(250)
            for (number, phase) in phases.sorted(by: { $0.key < $1.key }) {
                handle(.heard(MemberID(number), WorkerHeartbeat(step: step, phase: phase)))
            }
            let states = states
            let line = watch.line(of: membership, now: now) { _, process in
                states[process] ?? .running
            }
            if let line { lines.append(line) }
        }
        return lines
    }
}

@Suite struct StallWatchTests {
    @Test func whoComputesHoldsTheOthersUp() {
        var run = Watched()
        run.commit(7)
        #expect(run.pass(4.5, [0: "ring", 1: "compute", 2: "ring"]) == [])
        #expect(
            run.pass(1, [0: "ring", 1: "compute", 2: "ring"]) == [
                "no step for 5.0 s (they take 0.3 s): worker 1 (host alpha, pid 101) in forward and "
                    + "backward at step 7 for 4.8 s: slow"
            ])
    }

    @Test func linesGrowRare() {
        var run = Watched()
        run.commit(7)
        let lines = run.pass(200, [0: "ring", 1: "data", 2: "ring"])
        #expect(lines.count == 6)
        #expect(lines.allSatisfy { $0.hasSuffix(": waiting for data") })
        run.commit(8)
        #expect(run.pass(4, [0: "ring", 1: "data", 2: "ring"]) == [])
        #expect(run.pass(2, [0: "ring", 1: "data", 2: "ring"]).count == 1)
    }

    @Test func slowStepsAreNoStall() {
        var run = Watched()
        for step in 1...5 { run.commit(step, seconds: 2) }
        #expect(run.pass(19, [0: "ring", 1: "compute", 2: "compute"]) == [])
        #expect(run.pass(2, [0: "ring", 1: "compute", 2: "compute"]).count == 1)
    }

    @Test(arguments: [
        (ProcessState.gone, "dead"), (.stopped, "stopped"), (.running, "cut off: its process runs"),
        (.elsewhere, "stopped or cut off"),
    ])
    func silenceHasACause(_ state: ProcessState, _ words: String) {
        var run = Watched()
        run.states[102] = state
        run.commit(7)
        _ = run.pass(1, [0: "compute", 1: "compute", 2: "compute"])
        #expect(
            run.pass(5, [0: "ring", 1: "ring"]) == [
                "no step for 5.0 s (they take 0.3 s): worker 2 (host alpha, pid 102), last seen in "
                    + "forward and backward at step 7, has said nothing for 4.0 s: \(words)"
            ])
    }

    @Test func aRingInWhichAllWaitHasABrokenLink() throws {
        var run = Watched()
        run.commit(7)
        let line = try #require(run.pass(5.5, [0: "ring", 1: "ring", 2: "ring"]).first)
        #expect(
            line
                == "no step for 5.0 s (they take 0.3 s): all wait in the ring: worker 0 for rank 2, "
                + "worker 1 for rank 0, worker 2 for rank 1: cut off: a link between two of them "
                + "does not carry")
    }

    @Test func anEvaluationMayTakeItsTime() {
        var run = Watched()
        run.commit(7)
        #expect(run.pass(25, [0: "evaluation", 1: "evaluation", 2: "ring"]) == [])
        #expect(run.pass(10, [0: "evaluation", 1: "evaluation", 2: "ring"]).count == 1)
    }

    @Test func whoDoesNotLeaveTheRingIsNamed() throws {
        var run = Watched()
        run.commit(7)
        _ = run.pass(1, [0: "ring", 1: "ring", 2: "compute"])
        run.handle(.lost(MemberID(0), .connectionClosed))
        run.handle(
            .halted(
                MemberID(1),
                HaltReport(
                    generation: 1, step: 7, hasState: true, keptReplicas: [], cause: "closed",
                    suspect: nil)))
        let line = try #require(run.pass(6, [1: "waiting", 2: "compute"]).first)
        #expect(line.contains("waiting for the members to leave the ring: worker 2 (host alpha"))
        #expect(!line.contains("worker 1"))
    }

    @Test func theRateIsThatOfTheLastSteps() {
        var run = Watched()
        #expect(run.watch.samplesPerSecond == 0)
        for step in 1...200 { run.commit(step, seconds: step <= 100 ? 8 : 0.5) }
        #expect(run.watch.samplesPerSecond == 128)
    }

    @Test func theSystemKnowsItsProcesses() {
        let host = ProcessInfo.processInfo.hostName
        #expect(ProcessState(hostName: host, processID: getpid()) == .running)
        #expect(ProcessState(hostName: host, processID: 1 << 30) == .gone)
        #expect(ProcessState(hostName: "nowhere", processID: 1) == .elsewhere)
    }
}
