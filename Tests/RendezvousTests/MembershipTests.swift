// The membership's decisions that a table of phases does not show: ranks, refusals and their words,
// the settling of the arithmetic, deadlines, who is blamed.

import Rendezvous
import Testing
import WireFormat

struct MembershipTests {
    @Test func aRunOfOneWorkerIsSpokenOfAsOne() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 1))
        harness.join(1)
        #expect(harness.ready(1) == [.note("the worker is ready")])
        guard case .refuse(_, let refusal)? = harness.join(2).first else {
            Issue.record("a second worker was not refused")
            return
        }
        #expect(refusal.message == "the run's only place is taken")
        var lonely = MembershipHarness(MembershipHarness.settings(workerCount: 1))
        lonely.advance(.seconds(60))
        #expect(
            lonely.failure == "only 0 of 1 worker joined within 30 s; missing: rank 0")
    }

    // MARK: - Joining

    @Test func anAskedForSlotIsGivenWhenItIsFree() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 4))
        #expect(summary(harness.join(1, slot: 2)) == "welcome 1 rank 2")
        #expect(summary(harness.join(2, slot: 2)) == "welcome 2 rank 0")
        #expect(summary(harness.join(3, slot: 99)) == "welcome 3 rank 1")
        #expect(summary(harness.join(4)) == "welcome 4 rank 3; open 1 with 2,3,1,4")
        #expect(harness.membership.roster.map(\.rank) == [0, 1, 2, 3])
        #expect(harness.membership.member(withRank: 2) == MemberID(1))
    }

    @Test func theDealSharesTheReplicasInRankOrder() throws {
        var harness = MembershipHarness(
            MembershipHarness.settings(workerCount: 3, replicaCount: 4))
        harness.join(1)
        harness.join(2)
        let actions = harness.join(3)
        guard case .openGeneration(let generation, _) = try #require(actions.last) else {
            Issue.record("expected a generation, got \(actions)")
            return
        }
        #expect(generation.deal.ranges == [0..<2, 2..<3, 3..<4])
        #expect(generation.number == 1)
        #expect(generation.arithmetic == "high")
    }

    @Test func aWorkerThatLeavesBeforeTheStartFreesItsPlace() {
        var harness = MembershipHarness()
        harness.join(1)
        #expect(summary(harness.handle(.lost(MemberID(1), .connectionClosed))) == "drop 1")
        harness.join(2)
        #expect(harness.phaseName == "gathering")
        #expect(summary(harness.join(3)) == "welcome 3 rank 1; open 1 with 2,3")
    }

    @Test(arguments: [
        (
            hello(7, version: "0.9"), Refusal.Reason.versionMismatch,
            "the worker is rondo 0.9 (protocol 1), the coordinator is rondo 1.0 (protocol 1); "
                + "install one version on every host"
        ),
        (
            hello(7, token: "guess"), .wrongToken, "the worker does not know the run's token"
        ),
        (
            hello(7, arithmetic: "other", token: "secret"), .arithmeticMismatch,
            "the worker's processor runs the arithmetic other, the run is bound to middle; its "
                + "results would not be the same bits"
        ),
        (
            hello(7, arithmetic: "low", token: "secret"), .arithmeticMismatch,
            "the worker's processor runs the arithmetic low, the run is bound to middle; its "
                + "results would not be the same bits"
        ),
    ])
    func refusalsSayWhy(hello: WorkerHello, reason: Refusal.Reason, message: String) {
        var harness = MembershipHarness(
            MembershipHarness.settings(requiredArithmetic: "middle", joinToken: "secret"))
        let actions = harness.handle(.joined(MemberID(7), hello))
        #expect(actions.first == .refuse(MemberID(7), Refusal(reason: reason, message: message)))
        #expect(
            actions.last
                == .note("refused the worker on host host7 (pid 107): \(message)"))
    }

    @Test func aFullRunRefuses() {
        var harness = MembershipHarness.running()
        #expect(
            harness.join(3).first
                == .refuse(
                    MemberID(3),
                    Refusal(reason: .runFull, message: "all 2 places of the run are taken")))
    }

    @Test func impossibleSettingsAreNamed() {
        #expect(
            MembershipHarness.settings(workerCount: 3, replicaCount: 2).problem
                == "3 workers cannot share 2 replicas: use at most 2 workers or raise 'replicas' "
                + "in the configuration")
        #expect(
            MembershipHarness.settings(workerCount: 0).problem
                == "a run needs at least 1 worker, got 0")
        #expect(
            MembershipHarness.settings(requiredArithmetic: "odd").problem
                == "the run is bound to the arithmetic 'odd', which is unknown here; known: low, "
                + "middle, high")
        #expect(MembershipHarness.settings().problem == nil)
    }

    // MARK: - Arithmetic

    @Test func differingWorkersSettleOnTheLowestLevel() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        harness.join(1, arithmetic: "high")
        harness.join(2, arithmetic: "middle")
        #expect(
            summary(harness.join(3, arithmetic: "high"))
                == "welcome 3 rank 2; restart 1 middle; restart 3 middle")
        // The old processes' connections close; their places are free already.
        #expect(summary(harness.handle(.lost(MemberID(1), .connectionClosed))).isEmpty)
        // One that did not listen is told again and gets no place.
        #expect(summary(harness.join(4, arithmetic: "high")) == "restart 4 middle")
        harness.join(5, arithmetic: "middle", slot: 0)
        #expect(
            summary(harness.join(6, arithmetic: "middle", slot: 2))
                == "welcome 6 rank 2; open 1 with 5,2,6")
    }

    @Test func aLateLowerLevelIsSettledAnew() {
        var harness = MembershipHarness()
        harness.join(1, arithmetic: "high")
        harness.join(2, arithmetic: "middle")
        #expect(
            summary(harness.join(3, arithmetic: "low")) == "welcome 3 rank 0; restart 2 low")
        #expect(summary(harness.join(4, arithmetic: "low")) == "welcome 4 rank 1; open 1 with 3,4")
    }

    @Test func aBoundRunRestartsHigherWorkersAtOnce() {
        var harness = MembershipHarness(MembershipHarness.settings(requiredArithmetic: "low"))
        #expect(summary(harness.join(1, arithmetic: "high")) == "restart 1 low")
        harness.join(2, arithmetic: "low")
        #expect(summary(harness.join(3, arithmetic: "low")) == "welcome 3 rank 1; open 1 with 2,3")
    }

    // MARK: - Deadlines

    @Test func theStartDeadlineNamesWhoIsMissing() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        harness.join(1, slot: 1)
        harness.join(2, version: "0.9")
        harness.elapsed = .seconds(25)
        _ = harness.handle(.heard(MemberID(1), nil))
        #expect(harness.advance(.milliseconds(4999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "abort 4 1")
        #expect(
            harness.failure
                == "only 1 of 3 workers joined within 30 s; missing: ranks 0, 2; one was refused: "
                + "the worker is rondo 0.9 (protocol 1), the coordinator is rondo 1.0 (protocol "
                + "1); install one version on every host")
    }

    @Test func silenceIsALossExactlyAtTheTimeout() {
        var harness = MembershipHarness.running()
        harness.elapsed = .seconds(4)
        _ = harness.handle(.heard(MemberID(1), nil))
        _ = harness.handle(.heard(MemberID(2), WorkerHeartbeat(step: 37, phase: "backward")))
        harness.elapsed = .seconds(8)
        _ = harness.handle(.heard(MemberID(1), nil))
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(14))
        harness.elapsed = .milliseconds(13_999)
        #expect(harness.handle(.tick).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "drop 2; abort 4 1")
        #expect(
            harness.failure
                == "lost rank 1 (host host2, pid 102) after step 37 (backward): no sign of life "
                + "for 10 s; its process may be suspended or its host cut off")
    }

    @Test func workersThatDoNotBecomeReadyAreNamed() {
        var harness = MembershipHarness()
        harness.join(1)
        harness.join(2)
        harness.ready(1)
        harness.advance(.seconds(31))
        #expect(
            harness.failure
                == "not ready within 30 s: rank 1 (host host2, pid 102); can the workers reach "
                + "each other's ports?")
    }

    @Test func theEndWaitsForWorkersToLeaveButNotForLong() {
        var harness = MembershipHarness.running()
        harness.finish(1)
        #expect(summary(harness.finish(2)) == "end 1,2")
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(2))
        #expect(summary(harness.handle(.lost(MemberID(1), .connectionClosed))) == "drop 1")
        #expect(
            summary(harness.handle(.lost(MemberID(2), .connectionClosed)))
                == "drop 2; conclude finished")
        #expect(harness.membership.nextDeadline == nil)
    }

    // MARK: - Failing

    @Test func aComplaintWaitsForItsCause() {
        var harness = MembershipHarness.running()
        #expect(summary(harness.fail(1, exitCode: 4)).isEmpty)
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(1))
        _ = harness.handle(.lost(MemberID(1), .connectionClosed))
        harness.elapsed = .milliseconds(500)
        #expect(
            summary(harness.handle(.lost(MemberID(2), .connectionClosed)))
                == "drop 2; conclude failed 4")
        #expect(
            harness.failure
                == "lost rank 1 (host host2, pid 102): its connection was closed")
    }

    @Test func aComplaintWithoutACauseStandsForItself() {
        var harness = MembershipHarness.running()
        harness.fail(1, exitCode: 4)
        #expect(harness.advance(.milliseconds(999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "abort 4 1,2")
        #expect(harness.failure == "rank 0 (host host1, pid 101) failed: words")
    }

    @Test(arguments: [
        (LossCause.connectionFailed("no route"), "no route"),
        (.protocolViolation("a second 'hello'"), "it broke the protocol: a second 'hello'"),
        (.notReading, "it does not read what it is sent"),
    ])
    func theLossSaysHowItWasNoticed(cause: LossCause, words: String) {
        var harness = MembershipHarness.running()
        _ = harness.handle(.lost(MemberID(1), cause))
        #expect(harness.failure == "lost rank 0 (host host1, pid 101): \(words)")
    }

    @Test func differingWeightsAreNamedByRank() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        for number in 1...3 { harness.join(number) }
        for number in 1...3 { harness.ready(number) }
        harness.finish(1, digest: "aaa")
        harness.finish(2, digest: "bbb")
        #expect(summary(harness.finish(3, digest: "aaa")) == "abort 1 1,2,3")
        #expect(
            harness.failure
                == "the workers' weights differ at the end: ranks 0, 2 have aaa at step 60; rank "
                + "1 has bbb at step 60")
    }

    @Test func differingStartsAreNamedByRank() {
        var harness = MembershipHarness()
        harness.join(1)
        harness.join(2)
        harness.ready(1, digest: "aaa")
        harness.ready(2, digest: "bbb")
        #expect(
            harness.failure
                == "the workers do not start from the same weights: rank 0 has aaa at step 0; "
                + "rank 1 has bbb at step 0")
    }

    @Test func aReadyOfAnotherGenerationBreaksTheProtocol() {
        var harness = MembershipHarness()
        harness.join(1)
        harness.join(2)
        let stale = ReadyReport(generation: 7, step: 0, weightsDigest: "aaa")
        #expect(summary(harness.handle(.ready(MemberID(2), stale))) == "drop 2; abort 4 1")
    }

    // MARK: - Ending well

    @Test func theOutcomeCarriesTheLargestMemory() {
        var harness = MembershipHarness.running()
        harness.finish(1, bytes: 5)
        harness.finish(2, bytes: 9)
        guard case .ending(_, .finished(let summary)) = harness.membership.phase else {
            Issue.record("not finished: \(harness.phaseName)")
            return
        }
        #expect(summary == report(bytes: 9))
    }

    @Test func aStopIsAskedForOnceAndEndsStopped() {
        var harness = MembershipHarness.running()
        let actions = harness.handle(.stopRequested(reason: "interrupted"))
        #expect(summary(actions) == "stop 1,2")
        #expect(actions.last == .note("interrupted: stopping after the current step"))
        #expect(harness.handle(.stopRequested(reason: "again")).isEmpty)
        #expect(harness.membership.stopReason == "interrupted")
        harness.finish(1, stopped: true)
        harness.finish(2, stopped: true)
        #expect(harness.phaseName == "ending(stopped)")
    }

    @Test func workersThatDisagreeOnTheStopFailTheRun() {
        var harness = MembershipHarness.running()
        _ = harness.handle(.stopRequested(reason: "interrupted"))
        harness.finish(1, stopped: true)
        harness.finish(2, stopped: false)
        #expect(harness.phaseName == "ending(failed 1)")
    }
}
