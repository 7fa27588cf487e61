// The membership's decisions that a table of phases does not show: ranks, refusals and their words,
// the settling of the arithmetic, deadlines, who is blamed.

import Rendezvous
import Testing
import WireFormat

struct MembershipTests {
    @Test func aRunOfOneWorkerIsSpokenOfAsOne() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 1))
        harness.enter(1)
        #expect(summary(harness.ready(1)) == "run 1")
        var single = MembershipHarness(
            MembershipHarness.settings(workerCount: 1, replicaCount: 1))
        single.enter(1)
        guard case .refuse(_, let refusal)? = single.join(2).first else {
            Issue.record("a second worker was not refused")
            return
        }
        #expect(refusal.message == "the run's only replica is taken")
        var lonely = MembershipHarness(MembershipHarness.settings(workerCount: 1))
        lonely.advance(.seconds(60))
        #expect(
            lonely.failure == "only 0 of 1 worker joined within 30 s; missing: worker 0")
    }

    // MARK: - Joining

    @Test func anAskedForPlaceIsGivenWhenItIsFree() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 4))
        #expect(summary(harness.enter(1, slot: 2)) == "welcome 1 slot 2")
        #expect(summary(harness.enter(2, slot: 2)) == "welcome 2 slot 0")
        #expect(summary(harness.enter(3, slot: 99)) == "welcome 3 slot 1")
        #expect(summary(harness.enter(4)) == "welcome 4 slot 3; open 1 with 2,3,1,4 from 0")
        #expect(harness.membership.roster.map(\.rank) == [0, 1, 2, 3])
        #expect(harness.membership.member(withRank: 2) == MemberID(1))
    }

    @Test func theDealSharesTheReplicasInRankOrder() throws {
        var harness = MembershipHarness(
            MembershipHarness.settings(workerCount: 3, replicaCount: 4))
        harness.enter(1)
        harness.enter(2)
        let actions = harness.enter(3)
        guard case .openGeneration(let generation, _) = try #require(actions.last) else {
            Issue.record("expected a generation, got \(actions)")
            return
        }
        #expect(generation.deal.ranges == [0..<2, 2..<3, 3..<4])
        #expect(generation.number == 1)
        #expect(generation.arithmetic == "high")
    }

    @Test func theFirstGenerationWaitsForTheDataOfAll() {
        var harness = MembershipHarness()
        harness.join(1)
        harness.join(2)
        #expect(summary(harness.prepare(2)).isEmpty)
        #expect(harness.phaseName == "gathering")
        #expect(summary(harness.prepare(1)) == "open 1 with 1,2 from 0")
    }

    @Test func aWorkerThatLeavesBeforeTheStartFreesItsPlace() {
        var harness = MembershipHarness()
        harness.enter(1)
        #expect(summary(harness.lose(1)) == "drop 1")
        harness.enter(2)
        #expect(harness.phaseName == "gathering")
        #expect(summary(harness.leave(2)) == "end 2")
        harness.enter(3)
        #expect(summary(harness.enter(4)) == "welcome 4 slot 1; open 1 with 3,4 from 0")
    }

    @Test(arguments: [
        (
            hello(7, version: "0.9"), Refusal.Reason.versionMismatch,
            "the worker is rondo 0.9 (protocol 3), the coordinator is rondo 1.0 (protocol 3); "
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

    @Test func aRunWithAWorkerForEachReplicaRefusesFurtherOnes() {
        var harness = MembershipHarness.running()
        #expect(summary(harness.join(3)) == "welcome 3 slot 2")
        #expect(summary(harness.join(4)) == "welcome 4 slot 3")
        #expect(
            harness.join(5).first
                == .refuse(
                    MemberID(5),
                    Refusal(
                        reason: .runFull, message: "4 workers take part, one for each replica")))
        harness.lose(4)
        #expect(summary(harness.join(6)) == "welcome 6 slot 3")
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
        harness.enter(1, arithmetic: "high")
        harness.enter(2, arithmetic: "middle")
        #expect(
            summary(harness.enter(3, arithmetic: "high"))
                == "welcome 3 slot 2; restart 1 middle; restart 3 middle")
        // The old processes' connections close; their slots are free already.
        #expect(summary(harness.lose(1)).isEmpty)
        // A worker that did not restart is asked again and gets no slot.
        #expect(summary(harness.join(4, arithmetic: "high")) == "restart 4 middle")
        harness.enter(5, arithmetic: "middle", slot: 0)
        #expect(
            summary(harness.enter(6, arithmetic: "middle", slot: 2))
                == "welcome 6 slot 2; open 1 with 5,2,6 from 0")
    }

    @Test func aLateLowerLevelIsSettledAnew() {
        var harness = MembershipHarness()
        harness.enter(1, arithmetic: "high")
        harness.enter(2, arithmetic: "middle")
        #expect(
            summary(harness.enter(3, arithmetic: "low")) == "welcome 3 slot 0; restart 2 low")
        #expect(
            summary(harness.enter(4, arithmetic: "low"))
                == "welcome 4 slot 1; open 1 with 3,4 from 0")
    }

    @Test func aBoundRunRestartsHigherWorkersAtOnce() {
        var harness = MembershipHarness(MembershipHarness.settings(requiredArithmetic: "low"))
        #expect(summary(harness.join(1, arithmetic: "high")) == "restart 1 low")
        harness.enter(2, arithmetic: "low")
        #expect(
            summary(harness.enter(3, arithmetic: "low"))
                == "welcome 3 slot 1; open 1 with 2,3 from 0")
    }

    @Test func aRunThatHasBegunIsBoundToItsArithmetic() {
        var harness = MembershipHarness()
        harness.enter(1, arithmetic: "middle")
        harness.enter(2, arithmetic: "middle")
        #expect(summary(harness.join(3, arithmetic: "high")) == "restart 3 middle")
        #expect(summary(harness.join(4, arithmetic: "low")) == "refuse 4 arithmeticMismatch")
        harness.ready(1)
        harness.ready(2)
        #expect(summary(harness.join(5, arithmetic: "high")) == "restart 5 middle")
        #expect(summary(harness.join(6, arithmetic: "low")) == "refuse 6 arithmeticMismatch")
        #expect(
            summary(harness.enter(7, arithmetic: "middle"))
                == "welcome 7 slot 2; pause 1,2 of 1")
    }

    @Test func whoRunsLessThanItCanGoesUpForTheOthers() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        harness.enter(1, arithmetic: "middle", highest: "high")
        harness.enter(2, arithmetic: "middle", highest: "high")
        #expect(
            summary(harness.enter(3, arithmetic: "high"))
                == "welcome 3 slot 2; restart 1 high; restart 2 high")
        #expect(
            summary(harness.join(4, arithmetic: "middle", highest: "high")) == "restart 4 high")
        harness.enter(5, arithmetic: "high", slot: 0)
        #expect(
            summary(harness.enter(6, arithmetic: "high", slot: 1))
                == "welcome 6 slot 1; open 1 with 5,6,3 from 0")
    }

    @Test func workersThatPreferTheSameLevelStayWithIt() {
        var harness = MembershipHarness()
        harness.enter(1, arithmetic: "middle", highest: "high")
        #expect(
            summary(harness.enter(2, arithmetic: "middle", highest: "high"))
                == "welcome 2 slot 1; open 1 with 1,2 from 0")
    }

    @Test func aPreferredLevelYieldsToWhatAllCanRun() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        harness.enter(1, arithmetic: "middle", highest: "high")
        harness.enter(2, arithmetic: "high")
        #expect(
            summary(harness.enter(3, arithmetic: "low", highest: "middle"))
                == "welcome 3 slot 2; restart 2 middle; restart 3 middle")
    }

    @Test func aBoundRunTakesWorkersThatCanRunItsLevel() {
        var harness = MembershipHarness(MembershipHarness.settings(requiredArithmetic: "high"))
        #expect(
            summary(harness.join(1, arithmetic: "middle", highest: "high")) == "restart 1 high")
        let actions = harness.join(2, arithmetic: "low", highest: "middle")
        #expect(summary(actions) == "refuse 2 arithmeticMismatch")
        guard case .refuse(_, let refusal)? = actions.first else { return }
        #expect(
            refusal.message.hasPrefix("the worker's processor runs the arithmetic middle, "))
    }

    // MARK: - Deadlines

    @Test func theStartDeadlineNamesWhoIsMissing() {
        var harness = MembershipHarness(MembershipHarness.settings(workerCount: 3))
        harness.enter(1, slot: 1)
        harness.join(2, version: "0.9")
        harness.elapsed = .seconds(25)
        _ = harness.handle(.heard(MemberID(1), nil))
        #expect(harness.advance(.milliseconds(4999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "abort 4 1")
        #expect(
            harness.failure
                == "only 1 of 3 workers joined within 30 s; missing: workers 0, 2; one was "
                + "refused: the worker is rondo 0.9 (protocol 3), the coordinator is rondo 1.0 "
                + "(protocol 3); install one version on every host")
    }

    @Test func theStartDeadlineNamesWhoHasNotReadTheData() {
        var harness = MembershipHarness()
        harness.enter(1)
        harness.join(2)
        harness.elapsed = .seconds(25)
        for number in 1...2 { _ = harness.handle(.heard(MemberID(number), nil)) }
        #expect(summary(harness.advance(.seconds(5))) == "abort 4 1,2")
        #expect(
            harness.failure
                == "the data was not read within 30 s by worker 1 (host host2, pid 102)")
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
        let actions = harness.advance(.milliseconds(1))
        #expect(summary(actions) == "drop 2; halt 1 of 1")
        #expect(
            actions.contains(
                .note(
                    "lost worker 1 (host host2, pid 102) after step 37 (backward): no sign of life "
                        + "for 10 s; its process may be suspended or its host cut off")))
    }

    @Test func workersThatDoNotBecomeReadyAreNamed() {
        var harness = MembershipHarness()
        harness.enter(1)
        harness.enter(2)
        harness.ready(1)
        harness.advance(.seconds(31))
        #expect(
            harness.failure
                == "not ready within 30 s: worker 1 (host host2, pid 102); can the workers reach "
                + "each other's ports?")
    }

    @Test func theEndWaitsForWorkersToLeaveButNotForLong() {
        var harness = MembershipHarness.running()
        harness.finish(1)
        #expect(summary(harness.finish(2)) == "end 1,2")
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(2))
        #expect(summary(harness.lose(1)) == "drop 1")
        #expect(summary(harness.lose(2)) == "drop 2; conclude finished")
        #expect(harness.membership.nextDeadline == nil)
    }

    @Test func aCoordinatorThatWasHeldUpTakesNoSilenceForDeath() {
        var harness = MembershipHarness.running()
        harness.elapsed = .seconds(60)
        #expect(harness.handle(.overslept).isEmpty)
        #expect(harness.handle(.tick).isEmpty)
        #expect(harness.advance(.milliseconds(9_999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "drop 1; halt 2 of 1; drop 2")
    }

    // MARK: - Failing

    @Test(arguments: [
        (LossCause.connectionFailed("no route"), "no route"),
        (.protocolViolation("a second 'hello'"), "it broke the protocol: a second 'hello'"),
        (.notReading, "it does not read what it is sent"),
        (.gaveUp("no memory"), "no memory"),
        (.stuck(.seconds(5)), "it lives, but has not answered for 5 s"),
        (.cutOff, "its neighbours on the ring cannot reach it; it may join again"),
    ])
    func theLossSaysHowItWasNoticed(cause: LossCause, words: String) {
        var harness = MembershipHarness.running()
        #expect(
            harness.lose(1, cause).contains(.note("lost worker 0 (host host1, pid 101): \(words)")))
        #expect(harness.phaseName == "regrouping, broken")
    }

    @Test func differingWeightsAreNamedByWorker() {
        var harness = MembershipHarness.running(MembershipHarness.settings(workerCount: 3))
        harness.finish(1, digest: "aaa")
        harness.finish(2, digest: "bbb")
        #expect(summary(harness.finish(3, digest: "aaa")) == "abort 1 1,2,3")
        #expect(
            harness.failure
                == "the workers' weights differ at the end: workers 0, 2 have aaa at step 60; "
                + "worker 1 has bbb at step 60")
    }

    @Test func differingStartsAreNamedByWorker() {
        var harness = MembershipHarness()
        harness.enter(1)
        harness.enter(2)
        harness.ready(1, digest: "aaa")
        harness.ready(2, digest: "bbb")
        #expect(
            harness.failure
                == "the workers do not start from the same weights: worker 0 has aaa at step 0; "
                + "worker 1 has bbb at step 0")
    }

    @Test func aReadyOfAGenerationToComeBreaksTheProtocol() {
        var harness = MembershipHarness()
        harness.enter(1)
        harness.enter(2)
        let early = ReadyReport(generation: 7, step: 0, weightsDigest: "aaa")
        #expect(summary(harness.handle(.ready(MemberID(2), early))) == "drop 2; halt 1 of 1")
    }

    @Test func aWorkerThatCannotReadTheDataEndsTheRunThatItBegins() {
        var harness = MembershipHarness.running()
        harness.join(3)
        // A newcomer's trouble is its own.
        #expect(summary(harness.fail(3, exitCode: .data)) == "drop 3")
        #expect(summary(harness.fail(1, exitCode: .data)) == "abort 3 1,2")
        #expect(harness.failure == "worker 0 (host host1, pid 101) failed: words")
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
