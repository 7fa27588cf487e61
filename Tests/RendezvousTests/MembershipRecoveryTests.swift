// How a run goes on: after losses, with newcomers, without those who leave, from the last
// checkpoint, and
// under a new coordinator.

import Rendezvous
import Testing
import WireFormat

struct MembershipRecoveryTests {
    private static let three = MembershipHarness.settings(workerCount: 3, replicaCount: 6)

    private func opened(_ actions: [Membership.Action]) throws -> GenerationDescription {
        for case .openGeneration(let generation, _) in actions { return generation }
        throw Nothing()
    }

    private struct Nothing: Error {}

    // MARK: - Losses

    @Test func survivorsGoOnAtTheSameStep() throws {
        var harness = MembershipHarness.running(Self.three)
        #expect(summary(harness.lose(2)) == "drop 2; halt 1,3 of 1")
        #expect(harness.halt(1, step: 5, kept: [0, 1], cause: "closed").isEmpty)
        let actions = harness.halt(3, step: 5, kept: [4, 5], cause: "closed")
        #expect(summary(actions) == "open 2 with 1,3 from 5")
        let generation = try opened(actions)
        #expect(generation.deal.ranges == [0..<3, 3..<6])
        #expect(generation.recomputedCount == 0)
        #expect(generation.workers.map(\.slot) == [0, 2])
        harness.ready(1)
        harness.elapsed = .milliseconds(300)
        #expect(harness.ready(3) == [.running(generation, pause: .milliseconds(300))])
    }

    @Test func whoIsBehindByOneStepTakesTheGradient() throws {
        var harness = MembershipHarness.running(Self.three)
        harness.lose(1)
        harness.halt(2, step: 4, kept: [2, 3])
        let actions = harness.halt(3, step: 5, kept: [4], cause: "closed")
        #expect(summary(actions) == "open 2 with 2,3 from 5 by gradient of rank 1")
        // What the other holds belongs to the step that is committed already.
        #expect(try opened(actions).recomputedCount == 0)
    }

    @Test func whoLacksTheStateIsGivenIt() throws {
        var harness = MembershipHarness.running(Self.three)
        harness.lose(1)
        harness.halt(2, step: 5, hasState: false)
        #expect(
            summary(harness.halt(3, step: 5, cause: "closed"))
                == "open 2 with 2,3 from 5 by state of rank 1")
    }

    /// A member that was given its state has no gradient that another could need.
    @Test func aStateThatWasGivenHasNoGradient() {
        var harness = MembershipHarness.running(
            MembershipHarness.settings(workerCount: 2, replicaCount: 4))
        harness.enter(3)
        harness.halt(2, step: 8, kept: [2], cause: "closed")
        #expect(
            summary(harness.halt(1, step: 9, cause: "closed"))
                == "open 2 with 1,2,3 from 9 by state of rank 0")
        // The newcomer has the state; the second has missed it and still has the one before.
        harness.lose(1)
        harness.halt(3, step: 9, cause: "closed")
        #expect(
            summary(harness.halt(2, step: 8, cause: "closed"))
                == "open 3 with 2,3 from 9 by state of rank 1")
    }

    @Test func aLossWhileTheOthersLeaveIsLookedAtWithThem() {
        var harness = MembershipHarness.running(Self.three)
        harness.lose(1)
        harness.halt(2, step: 5)
        #expect(summary(harness.lose(3)) == "drop 3; open 2 with 2 from 5")
    }

    @Test func aWorkerThatDoesNotLeaveItsRingIsLeftOut() {
        var harness = MembershipHarness.running(Self.three)
        harness.lose(1)
        harness.halt(2, step: 5)
        harness.elapsed = .seconds(4)
        for number in 2...3 { _ = harness.handle(.heard(MemberID(number), nil)) }
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(5))
        let actions = harness.advance(.seconds(1))
        #expect(summary(actions) == "drop 3; open 2 with 2 from 5")
        #expect(
            actions.contains(
                .note(
                    "lost worker 2 (host host3, pid 103): it lives, but has not answered for 5 s")))
    }

    @Test func threeLossesInASlotAtOneStepEndTheRun() {
        var harness = MembershipHarness.running()
        for (loss, number) in [2, 3, 4].enumerated() {
            _ = harness.handle(.heard(MemberID(number), WorkerHeartbeat(step: 7, phase: "step")))
            let actions = harness.lose(number)
            if loss == 2 {
                #expect(summary(actions) == "drop 4; abort 4 1")
                break
            }
            harness.halt(1, step: 7, cause: "closed")
            harness.ready(1)
            harness.enter(number + 1, slot: 1)
            harness.halt(1, step: 7)
            harness.ready(1)
            harness.ready(number + 1)
            #expect(harness.phaseName == "running")
        }
        #expect(
            harness.failure
                == "lost worker 1 (host host4, pid 104) after step 7 (step): its connection was "
                + "closed; slot 1 has lost 3 workers at step 7")
    }

    @Test func lossesAtOtherStepsOrBySilenceDoNotAddUp() {
        var harness = MembershipHarness.running()
        for number in 2...6 {
            let step = number == 4 ? 8 : 7
            _ = harness.handle(
                .heard(MemberID(number), WorkerHeartbeat(step: step, phase: "step")))
            harness.lose(number, number == 3 ? .silent(.seconds(10)) : .connectionClosed)
            harness.halt(1, step: step, cause: "closed")
            harness.ready(1)
            harness.enter(number + 1, slot: 1)
            harness.halt(1, step: step)
            harness.ready(1)
            harness.ready(number + 1)
            #expect(harness.phaseName == "running", "loss of \(number)")
        }
    }

    @Test func anOldHaltOrReadyIsOverlooked() {
        var harness = MembershipHarness.running()
        harness.lose(2)
        harness.halt(1, step: 5)
        let old = HaltReport(
            generation: 1, step: 5, hasState: true, keptReplicas: [], cause: nil, suspect: nil)
        #expect(harness.handle(.halted(MemberID(1), old)).isEmpty)
        let late = ReadyReport(generation: 1, step: 0, weightsDigest: "aaa")
        #expect(harness.handle(.ready(MemberID(1), late)).isEmpty)
        #expect(harness.phaseName == "preparing")
    }

    @Test func aRingThatTwiceDoesNotStandGoesOnWithoutWhoIsOutOfReach() {
        var harness = MembershipHarness.running(Self.three)
        harness.lose(1)
        harness.halt(2, step: 5, cause: "closed")
        #expect(summary(harness.halt(3, step: 5, cause: "closed")) == "open 2 with 2,3 from 5")
        #expect(
            summary(harness.halt(2, step: 5, cause: "not connected", suspect: 1))
                == "halt 3 of 2")
        #expect(summary(harness.halt(3, step: 5)) == "open 3 with 2,3 from 5")
        #expect(
            summary(harness.halt(2, step: 5, cause: "not connected", suspect: 1))
                == "halt 3 of 3; drop 3; open 4 with 2 from 5")
    }

    @Test func aNewcomerThatReachesNoWorkerDoesNotCostTheState() {
        var harness = MembershipHarness.running(
            MembershipHarness.settings(workerCount: 1, replicaCount: 4))
        harness.enter(2)
        #expect(
            summary(harness.halt(1, step: 9)) == "open 2 with 1,2 from 9 by state of rank 0")
        harness.halt(2, step: 0, cause: "not connected", suspect: 0)
        #expect(
            summary(harness.halt(1, step: 9)) == "open 3 with 1,2 from 9 by state of rank 0")
        harness.halt(2, step: 0, cause: "not connected", suspect: 0)
        #expect(summary(harness.halt(1, step: 9)) == "open 4 with 1 from 9")
    }

    // MARK: - Coming and going

    @Test func aNewcomerIsTakenInAfterTheStep() throws {
        var harness = MembershipHarness.running()
        #expect(summary(harness.join(3)) == "welcome 3 slot 2")
        #expect(summary(harness.prepare(3)) == "pause 1,2 of 1")
        #expect(summary(harness.enter(4)) == "welcome 4 slot 3", "one pause is enough")
        #expect(harness.halt(1, step: 6).isEmpty)
        let actions = harness.halt(2, step: 6)
        #expect(summary(actions) == "open 2 with 1,2,3,4 from 6 by state of rank 0")
        #expect(try opened(actions).deal.ranges == [0..<1, 1..<2, 2..<3, 3..<4])
    }

    @Test func aPauseThatIsOvertakenByALossIsAskedForAgain() {
        var harness = MembershipHarness.running()
        harness.join(3)
        harness.leave(2)
        harness.lose(1)
        // The leaver alone has the state: it hands it over in one more generation.
        #expect(summary(harness.halt(2, step: 6, cause: "closed")) == "open 2 with 2 from 6")
        harness.prepare(3)
        #expect(summary(harness.ready(2)) == "run 2; pause 2 of 2")
        #expect(summary(harness.halt(2, step: 7)) == "open 3 with 2,3 from 7 by state of rank 0")
        harness.ready(2)
        #expect(summary(harness.ready(3)) == "run 3; pause 2,3 of 3")
        harness.halt(2, step: 8)
        #expect(summary(harness.halt(3, step: 8)) == "end 2; open 4 with 3 from 8")
    }

    @Test func aLeaverHandsOver() {
        var harness = MembershipHarness.running(Self.three)
        #expect(summary(harness.leave(2)) == "pause 1,2,3 of 1")
        #expect(harness.leave(2).isEmpty)
        for number in [1, 2] { harness.halt(number, step: 6) }
        let actions = harness.halt(3, step: 6)
        #expect(summary(actions) == "end 2; open 2 with 1,3 from 6")
        #expect(actions.contains(.note("worker 1 (host host2, pid 102) has left: a signal")))
        #expect(harness.lose(2).isEmpty)
    }

    @Test func whenAllLeaveTheRunIsStoppedAndSaved() {
        var harness = MembershipHarness.running()
        #expect(summary(harness.leave(1)) == "pause 1,2 of 1")
        #expect(harness.leave(2).isEmpty)
        harness.halt(1, step: 6)
        #expect(summary(harness.halt(2, step: 6)) == "open 2 with 1,2 from 6", "not let go yet")
        harness.ready(1)
        #expect(summary(harness.ready(2)) == "run 2; stop 1,2")
        harness.finish(1, stopped: true)
        harness.finish(2, stopped: true)
        #expect(harness.phaseName == "ending(stopped)")
    }

    @Test func theLastToLeaveWaitsForANewcomersData() {
        var harness = MembershipHarness.running()
        harness.join(3)
        for number in [1, 2] { harness.leave(number) }
        harness.halt(1, step: 6)
        #expect(summary(harness.halt(2, step: 6)) == "open 2 with 1,2 from 6")
        harness.ready(1)
        #expect(summary(harness.ready(2)) == "run 2", "no worker is stopped")
        #expect(summary(harness.prepare(3)) == "pause 1,2 of 2")
        harness.halt(1, step: 9)
        #expect(
            summary(harness.halt(2, step: 9)) == "open 3 with 1,2,3 from 9 by state of rank 0")
        for number in [1, 2] { harness.ready(number) }
        #expect(summary(harness.ready(3)) == "run 3; pause 1,2,3 of 3")
        for number in [1, 2] { harness.halt(number, step: 10) }
        #expect(summary(harness.halt(3, step: 10)) == "end 1; end 2; open 4 with 3 from 10")
    }

    @Test func newcomersDataAreNotWaitedForLongerThanLeaversHave() {
        var harness = MembershipHarness.running()
        harness.join(3)
        for number in [1, 2] { harness.leave(number) }
        harness.halt(1, step: 6)
        harness.halt(2, step: 6)
        harness.ready(1)
        #expect(summary(harness.ready(2)) == "run 2")
        // Halfway a message comes from each worker, so that none is lost by silence.
        let half = Membership.newcomerPatience / 2
        #expect(harness.advance(half).isEmpty)
        for number in 1...3 { _ = harness.handle(.heard(MemberID(number), nil)) }
        #expect(harness.membership.nextDeadline == harness.origin + Membership.newcomerPatience)
        #expect(harness.advance(half - .milliseconds(1)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "stop 1,2,3")
    }

    // MARK: - Stopping while regrouping

    @Test func aStopWhileRegroupingHoldsForTheNextGeneration() {
        var harness = MembershipHarness.running()
        harness.enter(3)
        harness.lose(2)
        #expect(summary(harness.handle(.stopRequested(reason: "interrupted"))) == "stop 1,3")
        #expect(summary(harness.join(4)) == "refuse 4 runOver")
        #expect(
            summary(harness.halt(1, step: 5)) == "open 2 with 1,3 from 5 by state of rank 0")
        harness.ready(1)
        #expect(summary(harness.ready(3)) == "run 2")
        harness.finish(1, stopped: true)
        harness.finish(3, stopped: true)
        #expect(harness.phaseName == "ending(stopped)")
    }

    @Test func aStopThatLosesItsLastWorkerEnds() {
        var harness = MembershipHarness.running()
        _ = harness.handle(.stopRequested(reason: "interrupted"))
        harness.lose(1)
        #expect(summary(harness.lose(2)) == "drop 2")
        #expect(summary(harness.advance(.seconds(3))) == "conclude failed 130")
        #expect(harness.failure == "interrupted: stopped while no worker was there")
    }

    // MARK: - All lost

    @Test func withoutAnyWorkerTheLastCheckpointIsGoneOnFrom() throws {
        var harness = MembershipHarness.running()
        _ = harness.handle(.saved(step: 40))
        harness.lose(1)
        #expect(summary(harness.lose(2)) == "drop 2")
        #expect(
            harness.advance(.seconds(3)) == [
                .note(
                    "no worker is left; the run goes on from the checkpoint of step 40 as soon as "
                        + "one is there")
            ])
        #expect(summary(harness.enter(3)) == "welcome 3 slot 0")
        #expect(harness.membership.nextDeadline == harness.origin + .seconds(4))
        let all = harness.enter(4)
        #expect(
            summary(all)
                == "welcome 4 slot 1; open 2 with 3,4 from 40 by state of rank 0, restored")
        harness.ready(3)
        harness.elapsed = .seconds(5)
        guard case .running(_, let pause)? = harness.ready(4).last else { throw Nothing() }
        #expect(pause == .seconds(5))
    }

    @Test func whoComesBackFirstWaitsAMomentForTheOthers() {
        var harness = MembershipHarness.running(Self.three)
        for number in 1...3 { harness.lose(number) }
        harness.enter(4)
        #expect(summary(harness.advance(.seconds(3))) == "")
        #expect(harness.advance(.milliseconds(999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "open 2 with 4 from 0")
    }

    @Test func whoComesBackAndIsLostAgainOpensNothing() {
        var harness = MembershipHarness.running()
        harness.lose(1)
        harness.lose(2)
        harness.enter(3)
        harness.lose(3)
        #expect(summary(harness.advance(.seconds(3))) == "")
        #expect(harness.phaseName == "waiting")
        #expect(harness.advance(.seconds(29)).isEmpty)
        #expect(summary(harness.advance(.seconds(1))) == "conclude failed 4")
        #expect(harness.failure == "all workers are lost and none has stayed for 30 s")
    }

    @Test func whoIsLostAgainAndAgainBeforeARingIsNamed() {
        var harness = MembershipHarness.running()
        for number in [1, 2] { harness.lose(number) }
        _ = harness.advance(.seconds(3))
        harness.join(3, slot: 0)
        #expect(summary(harness.lose(3)) == "drop 3")
        harness.join(4, slot: 0)
        #expect(summary(harness.lose(4)) == "drop 4; conclude failed 4")
        #expect(
            harness.failure
                == "lost worker 0 (host host4, pid 104): its connection was closed; slot 0 has lost 3"
                + " workers at step 0")
    }

    // MARK: - All connections lost

    @Test func workersWhoseConnectionsBrokeGoOnInTheirGeneration() {
        var harness = MembershipHarness.running()
        harness.lose(1)
        #expect(summary(harness.lose(2)) == "drop 2")
        #expect(harness.phaseName == "attaching")
        #expect(
            summary(comeBack(&harness, 3, key: "key1", generation: 1, rank: 0)) == "attach 3 rank 0"
        )
        #expect(
            summary(comeBack(&harness, 4, key: "key2", generation: 1, rank: 1)) == "attach 4 rank 1"
        )
        #expect(harness.phaseName == "running")
        harness.finish(3)
        #expect(summary(harness.finish(4)) == "end 3,4")
    }

    @Test func ofWorkersWhoseConnectionsBrokeOneMayBeGone() {
        var harness = MembershipHarness.running()
        for number in [1, 2] { harness.lose(number) }
        _ = comeBack(&harness, 4, key: "key2", generation: 1, rank: 1)
        #expect(summary(harness.advance(.seconds(3))) == "halt 4 of 1")
        #expect(summary(harness.halt(4, step: 17)) == "open 2 with 4 from 17")
    }

    /// The halt of the first loss has reached the second before its own connection broke.
    @Test func whoHasLeftTheRingComesBackWithItsState() {
        var harness = MembershipHarness.running()
        for number in [1, 2] { harness.lose(number) }
        #expect(
            summary(comeBack(&harness, 3, key: "key1", halted: 7, generation: 1, rank: 0))
                == "attach 3 rank 0")
        #expect(
            summary(comeBack(&harness, 4, key: "key2", halted: 7, generation: 1, rank: 1))
                == "attach 4 rank 1")
        #expect(summary(harness.advance(.zero)) == "open 2 with 3,4 from 7")
    }

    @Test func whoHasGivenUpIsNotExpectedBack() {
        var harness = MembershipHarness.running()
        for number in [1, 2] { harness.lose(number, .gaveUp("no memory")) }
        #expect(harness.phaseName == "waiting")
    }

    @Test func aStopReachesWorkersThatComeBack() {
        var harness = MembershipHarness.running()
        _ = harness.handle(.stopRequested(reason: "interrupted"))
        for number in [1, 2] { harness.lose(number) }
        #expect(
            summary(comeBack(&harness, 3, key: "key1", generation: 1, rank: 0))
                == "attach 3 rank 0; stop 3")
    }

    /// A newcomer that lost its ring before it was given the state stands at step 0.
    @Test func aNewcomersBeginningIsNoState() {
        var harness = MembershipHarness.running()
        _ = harness.handle(.saved(step: 40))
        harness.lose(1)
        harness.lose(2)
        harness.enter(3)
        harness.enter(4)
        harness.lose(3)
        #expect(summary(harness.halt(4, step: 0, cause: "closed")) == "")
        #expect(harness.phaseName == "waiting")
        #expect(
            summary(harness.advance(.seconds(2))) + summary(harness.advance(.seconds(2)))
                == "open 3 with 4 from 40 by state of rank 0, restored")
    }

    // MARK: - A new coordinator

    private func taken(_ members: Int = 2) -> MembershipHarness {
        var harness = MembershipHarness()
        harness.membership = Membership(
            settings: MembershipHarness.settings(startStep: 10),
            journal: MembershipJournal(
                runToken: "token", generation: 5,
                deal: .equal(replicaCount: 4, worldSize: members), startStep: 12,
                arithmetic: "high",
                members: (0..<members).map {
                    .init(key: "key\($0 + 1)", slot: $0, hostName: "host", processID: 9)
                }), now: harness.origin)
        return harness
    }

    private func comeBack(
        _ harness: inout MembershipHarness, _ number: Int, key: String? = nil,
        halted: Int? = nil, generation: UInt32 = 5, rank: Int? = nil
    ) -> [Membership.Action] {
        let standing = WorkerStanding(
            generation: generation, rank: rank ?? number - 1,
            ready: ReadyReport(generation: generation, step: 12, weightsDigest: "aaa"),
            halted: halted.map {
                HaltReport(
                    generation: generation, step: $0, hasState: true, keptReplicas: [],
                    cause: "closed",
                    suspect: nil)
            })
        return harness.handle(
            .joined(MemberID(number), hello(number, key: key, standing: standing)))
    }

    @Test func aNewCoordinatorTakesOverTheOpenGeneration() {
        var harness = taken()
        #expect(harness.phaseName == "attaching")
        #expect(summary(comeBack(&harness, 2)) == "attach 2 rank 1")
        #expect(summary(comeBack(&harness, 1)) == "attach 1 rank 0")
        #expect(harness.phaseName == "running")
        harness.finish(1)
        #expect(summary(harness.finish(2)) == "end 1,2")
    }

    @Test func whoDoesNotComeBackIsLost() {
        var harness = taken()
        _ = comeBack(&harness, 1)
        #expect(harness.advance(.milliseconds(2_999)).isEmpty)
        #expect(summary(harness.advance(.milliseconds(1))) == "halt 1 of 5")
        #expect(summary(harness.halt(1, step: 17)) == "open 6 with 1 from 17")
    }

    @Test func whoStandsInABrokenRingIsRegrouped() {
        var harness = taken()
        _ = comeBack(&harness, 1, halted: 14)
        #expect(summary(comeBack(&harness, 2)) == "attach 2 rank 1; halt 2 of 5")
        #expect(
            summary(harness.halt(2, step: 15, cause: "closed"))
                == "open 6 with 1,2 from 15 by gradient of rank 1")
    }

    @Test func strangersToTheGenerationAreNewcomers() {
        var harness = taken()
        #expect(summary(comeBack(&harness, 1, key: "other")) == "welcome 1 slot 2")
    }

    @Test func slotsOfExpectedWorkersAreTaken() {
        var harness = taken(4)
        #expect(summary(harness.join(7)) == "refuse 7 runFull")
        #expect(summary(harness.join(8, slot: 2)) == "welcome 8 slot 2")
        #expect(summary(comeBack(&harness, 3)) == "refuse 3 runFull")
    }

    @Test func withoutAnyOfThemTheCheckpointIsGoneOnFrom() {
        var harness = taken()
        harness.enter(7)
        #expect(summary(harness.advance(.seconds(3))) == "")
        #expect(harness.phaseName == "waiting")
        #expect(
            summary(harness.advance(.seconds(1))) + summary(harness.advance(.seconds(1)))
                == "open 6 with 7 from 10 by state of rank 0, restored")
    }
}
