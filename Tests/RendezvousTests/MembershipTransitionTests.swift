// Every phase of the membership against every kind of event: the phase that follows and the
// actions. Two workers, connections 1 (slot 0) and 2 (slot 1), and in some phases a third; the
// event comes from connection 1 unless its name says otherwise. Notes for the log are left out of
// the actions.

import Rendezvous
import Testing
import WireFormat

struct MembershipTransitionTests {
    private static let phases: [(name: String, make: @Sendable () -> MembershipHarness)] = [
        (
            "gathering",
            {
                var harness = MembershipHarness()
                harness.enter(1)
                return harness
            }
        ),
        (
            "preparing",
            {
                var harness = MembershipHarness()
                harness.enter(1)
                harness.enter(2)
                return harness
            }
        ),
        (
            "other ready",
            {
                var harness = MembershipHarness()
                harness.enter(1)
                harness.enter(2)
                harness.ready(2)
                return harness
            }
        ),
        ("running", { MembershipHarness.running() }),
        (
            "newcomer",
            {
                var harness = MembershipHarness.running()
                harness.enter(3)
                return harness
            }
        ),
        (
            "other finished",
            {
                var harness = MembershipHarness.running()
                harness.finish(2)
                return harness
            }
        ),
        (
            "other paused",
            {
                var harness = MembershipHarness.running()
                harness.enter(3)
                harness.halt(2, step: 5)
                return harness
            }
        ),
        (
            "other broken",
            {
                var harness = MembershipHarness.running()
                harness.halt(2, step: 5, kept: [2, 3], cause: "closed")
                return harness
            }
        ),
        (
            "all lost",
            {
                var harness = MembershipHarness.running()
                harness.lose(1)
                harness.lose(2)
                harness.advance(.seconds(3))
                harness.join(1)
                return harness
            }
        ),
        (
            "ending",
            {
                var harness = MembershipHarness.running()
                harness.finish(1)
                harness.finish(2)
                return harness
            }
        ),
        (
            "over",
            {
                var harness = MembershipHarness.running()
                harness.finish(1)
                harness.finish(2)
                harness.advance(.seconds(3))
                return harness
            }
        ),
    ]

    private static let events:
        [(name: String, send: @Sendable (inout MembershipHarness) -> [Membership.Action])] = [
            ("tick", { $0.handle(.tick) }),
            ("overslept", { $0.handle(.overslept) }),
            ("a minute", { $0.advance(.seconds(60)) }),
            ("joined 4", { $0.join(4) }),
            ("entered 4", { $0.enter(4) }),
            ("prepared", { $0.prepare(1) }),
            ("heard", { $0.handle(.heard(MemberID(1), WorkerHeartbeat(step: 1, phase: "step"))) }),
            ("ready", { $0.ready(1) }),
            ("ready, other weights", { $0.ready(1, digest: "ccc") }),
            ("halted", { $0.halt(1, step: 5) }),
            ("halted, broken", { $0.halt(1, step: 4, kept: [0], cause: "closed") }),
            ("leaving", { $0.leave(1) }),
            ("finished", { $0.finish(1) }),
            ("finished otherwise", { $0.finish(1, digest: "ccc") }),
            ("failed 4", { $0.fail(1, exitCode: .peersLost) }),
            ("failed 3", { $0.fail(1, exitCode: .data) }),
            ("lost", { $0.lose(1) }),
            ("lost 2", { $0.lose(2) }),
            ("lost a stranger", { $0.lose(9) }),
            ("saved", { $0.handle(.saved(step: 5)) }),
            ("stop", { $0.handle(.stopRequested(reason: "interrupted")) }),
            ("run failed", { $0.handle(.runFailed(exitCode: .failed, message: "disk full")) }),
        ]

    private static let table = """
        gathering + tick -> gathering
        gathering + overslept -> gathering
        gathering + a minute -> ending(failed 4): abort 4 1
        gathering + joined 4 -> gathering: welcome 4 slot 1
        gathering + entered 4 -> preparing: welcome 4 slot 1; open 1 with 1,4 from 0
        gathering + prepared -> gathering
        gathering + heard -> gathering
        gathering + ready -> gathering
        gathering + ready, other weights -> gathering
        gathering + halted -> gathering
        gathering + halted, broken -> gathering
        gathering + leaving -> gathering: end 1
        gathering + finished -> gathering: drop 1
        gathering + finished otherwise -> gathering: drop 1
        gathering + failed 4 -> gathering: drop 1
        gathering + failed 3 -> ending(failed 3): abort 3 1
        gathering + lost -> gathering: drop 1
        gathering + lost 2 -> gathering
        gathering + lost a stranger -> gathering
        gathering + saved -> gathering
        gathering + stop -> ending(failed 130): abort 130 1
        gathering + run failed -> ending(failed 1): abort 1 1
        preparing + tick -> preparing
        preparing + overslept -> preparing
        preparing + a minute -> ending(failed 4): abort 4 1,2
        preparing + joined 4 -> preparing: welcome 4 slot 2
        preparing + entered 4 -> preparing: welcome 4 slot 2
        preparing + prepared -> preparing
        preparing + heard -> preparing
        preparing + ready -> preparing
        preparing + ready, other weights -> preparing
        preparing + halted -> regrouping
        preparing + halted, broken -> regrouping, broken: halt 2 of 1
        preparing + leaving -> preparing
        preparing + finished -> regrouping, broken: drop 1; halt 2 of 1
        preparing + finished otherwise -> regrouping, broken: drop 1; halt 2 of 1
        preparing + failed 4 -> regrouping, broken: drop 1; halt 2 of 1
        preparing + failed 3 -> ending(failed 3): abort 3 1,2
        preparing + lost -> regrouping, broken: drop 1; halt 2 of 1
        preparing + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        preparing + lost a stranger -> preparing
        preparing + saved -> preparing
        preparing + stop -> preparing: stop 1,2
        preparing + run failed -> ending(failed 1): abort 1 1,2
        other ready + tick -> preparing
        other ready + overslept -> preparing
        other ready + a minute -> ending(failed 4): abort 4 1,2
        other ready + joined 4 -> preparing: welcome 4 slot 2
        other ready + entered 4 -> preparing: welcome 4 slot 2
        other ready + prepared -> preparing
        other ready + heard -> preparing
        other ready + ready -> running: run 1
        other ready + ready, other weights -> ending(failed 1): abort 1 1,2
        other ready + halted -> regrouping
        other ready + halted, broken -> regrouping, broken: halt 2 of 1
        other ready + leaving -> preparing
        other ready + finished -> regrouping, broken: drop 1; halt 2 of 1
        other ready + finished otherwise -> regrouping, broken: drop 1; halt 2 of 1
        other ready + failed 4 -> regrouping, broken: drop 1; halt 2 of 1
        other ready + failed 3 -> ending(failed 3): abort 3 1,2
        other ready + lost -> regrouping, broken: drop 1; halt 2 of 1
        other ready + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        other ready + lost a stranger -> preparing
        other ready + saved -> preparing
        other ready + stop -> preparing: stop 1,2
        other ready + run failed -> ending(failed 1): abort 1 1,2
        running + tick -> running
        running + overslept -> running
        running + a minute -> attaching: drop 1; halt 2 of 1; drop 2
        running + joined 4 -> running: welcome 4 slot 2
        running + entered 4 -> running: welcome 4 slot 2; pause 1,2 of 1
        running + prepared -> running
        running + heard -> running
        running + ready -> regrouping, broken: drop 1; halt 2 of 1
        running + ready, other weights -> regrouping, broken: drop 1; halt 2 of 1
        running + halted -> regrouping
        running + halted, broken -> regrouping, broken: halt 2 of 1
        running + leaving -> running: pause 1,2 of 1
        running + finished -> running
        running + finished otherwise -> running
        running + failed 4 -> regrouping, broken: drop 1; halt 2 of 1
        running + failed 3 -> ending(failed 3): abort 3 1,2
        running + lost -> regrouping, broken: drop 1; halt 2 of 1
        running + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        running + lost a stranger -> running
        running + saved -> running
        running + stop -> running: stop 1,2
        running + run failed -> ending(failed 1): abort 1 1,2
        newcomer + tick -> running
        newcomer + overslept -> running
        newcomer + a minute -> attaching: drop 1; halt 2 of 1; drop 2; drop 3
        newcomer + joined 4 -> running: welcome 4 slot 3
        newcomer + entered 4 -> running: welcome 4 slot 3
        newcomer + prepared -> running
        newcomer + heard -> running
        newcomer + ready -> regrouping, broken: drop 1; halt 2 of 1
        newcomer + ready, other weights -> regrouping, broken: drop 1; halt 2 of 1
        newcomer + halted -> regrouping
        newcomer + halted, broken -> regrouping, broken: halt 2 of 1
        newcomer + leaving -> running
        newcomer + finished -> running
        newcomer + finished otherwise -> running
        newcomer + failed 4 -> regrouping, broken: drop 1; halt 2 of 1
        newcomer + failed 3 -> ending(failed 3): abort 3 1,2,3
        newcomer + lost -> regrouping, broken: drop 1; halt 2 of 1
        newcomer + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        newcomer + lost a stranger -> running
        newcomer + saved -> running
        newcomer + stop -> running: stop 1,2,3
        newcomer + run failed -> ending(failed 1): abort 1 1,2,3
        other finished + tick -> running
        other finished + overslept -> running
        other finished + a minute -> attaching: drop 1; drop 2
        other finished + joined 4 -> running: welcome 4 slot 2
        other finished + entered 4 -> running: welcome 4 slot 2; pause 1,2 of 1
        other finished + prepared -> running
        other finished + heard -> running
        other finished + ready -> preparing: drop 1; open 2 with 2 from 60
        other finished + ready, other weights -> preparing: drop 1; open 2 with 2 from 60
        other finished + halted -> preparing: open 2 with 1,2 from 60 by state of rank 1
        other finished + halted, broken -> preparing: open 2 with 1,2 from 60 by state of rank 1
        other finished + leaving -> running: pause 1,2 of 1
        other finished + finished -> ending(finished): end 1,2
        other finished + finished otherwise -> ending(failed 1): abort 1 1,2
        other finished + failed 4 -> preparing: drop 1; open 2 with 2 from 60
        other finished + failed 3 -> ending(failed 3): abort 3 1,2
        other finished + lost -> preparing: drop 1; open 2 with 2 from 60
        other finished + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        other finished + lost a stranger -> running
        other finished + saved -> running
        other finished + stop -> running: stop 1,2
        other finished + run failed -> ending(failed 1): abort 1 1,2
        other paused + tick -> regrouping
        other paused + overslept -> regrouping
        other paused + a minute -> attaching: drop 1; drop 2; drop 3
        other paused + joined 4 -> regrouping: welcome 4 slot 3
        other paused + entered 4 -> regrouping: welcome 4 slot 3
        other paused + prepared -> regrouping
        other paused + heard -> regrouping
        other paused + ready -> preparing: drop 1; open 2 with 2,3 from 5 by state of rank 0
        other paused + ready, other weights -> preparing: drop 1; open 2 with 2,3 from 5 by state of rank 0
        other paused + halted -> preparing: open 2 with 1,2,3 from 5 by state of rank 0
        other paused + halted, broken -> preparing: open 2 with 1,2,3 from 5 by state of rank 1
        other paused + leaving -> regrouping
        other paused + finished -> preparing: open 2 with 1,2,3 from 60 by state of rank 0
        other paused + finished otherwise -> preparing: open 2 with 1,2,3 from 60 by state of rank 0
        other paused + failed 4 -> preparing: drop 1; open 2 with 2,3 from 5 by state of rank 0
        other paused + failed 3 -> ending(failed 3): abort 3 1,2,3
        other paused + lost -> preparing: drop 1; open 2 with 2,3 from 5 by state of rank 0
        other paused + lost 2 -> regrouping, broken: drop 2; halt 1 of 1
        other paused + lost a stranger -> regrouping
        other paused + saved -> regrouping
        other paused + stop -> regrouping: stop 1,2,3
        other paused + run failed -> ending(failed 1): abort 1 1,2,3
        other broken + tick -> regrouping, broken
        other broken + overslept -> regrouping, broken
        other broken + a minute -> attaching: drop 1; drop 2
        other broken + joined 4 -> regrouping, broken: welcome 4 slot 2
        other broken + entered 4 -> regrouping, broken: welcome 4 slot 2
        other broken + prepared -> regrouping, broken
        other broken + heard -> regrouping, broken
        other broken + ready -> preparing: drop 1; open 2 with 2 from 5
        other broken + ready, other weights -> preparing: drop 1; open 2 with 2 from 5
        other broken + halted -> preparing: open 2 with 1,2 from 5
        other broken + halted, broken -> preparing: open 2 with 1,2 from 5 by gradient of rank 1
        other broken + leaving -> regrouping, broken
        other broken + finished -> preparing: open 2 with 1,2 from 60 by state of rank 0
        other broken + finished otherwise -> preparing: open 2 with 1,2 from 60 by state of rank 0
        other broken + failed 4 -> preparing: drop 1; open 2 with 2 from 5
        other broken + failed 3 -> ending(failed 3): abort 3 1,2
        other broken + lost -> preparing: drop 1; open 2 with 2 from 5
        other broken + lost 2 -> regrouping, broken: drop 2
        other broken + lost a stranger -> regrouping, broken
        other broken + saved -> regrouping, broken
        other broken + stop -> regrouping, broken: stop 1,2
        other broken + run failed -> ending(failed 1): abort 1 1,2
        all lost + tick -> waiting
        all lost + overslept -> waiting
        all lost + a minute -> ending(failed 4): abort 4 1
        all lost + joined 4 -> waiting: welcome 4 slot 1
        all lost + entered 4 -> waiting: welcome 4 slot 1
        all lost + prepared -> waiting
        all lost + heard -> waiting
        all lost + ready -> waiting: drop 1
        all lost + ready, other weights -> waiting: drop 1
        all lost + halted -> waiting: drop 1
        all lost + halted, broken -> waiting: drop 1
        all lost + leaving -> waiting: end 1
        all lost + finished -> waiting: drop 1
        all lost + finished otherwise -> waiting: drop 1
        all lost + failed 4 -> waiting: drop 1
        all lost + failed 3 -> waiting: drop 1
        all lost + lost -> waiting: drop 1
        all lost + lost 2 -> waiting
        all lost + lost a stranger -> waiting
        all lost + saved -> waiting
        all lost + stop -> ending(failed 130): abort 130 1
        all lost + run failed -> ending(failed 1): abort 1 1
        ending + tick -> ending(finished)
        ending + overslept -> ending(finished)
        ending + a minute -> over(finished): conclude finished
        ending + joined 4 -> ending(finished): refuse 4 runOver
        ending + entered 4 -> ending(finished): refuse 4 runOver
        ending + prepared -> ending(finished)
        ending + heard -> ending(finished)
        ending + ready -> ending(finished)
        ending + ready, other weights -> ending(finished)
        ending + halted -> ending(finished)
        ending + halted, broken -> ending(finished)
        ending + leaving -> ending(finished)
        ending + finished -> ending(finished)
        ending + finished otherwise -> ending(finished)
        ending + failed 4 -> ending(finished)
        ending + failed 3 -> ending(finished)
        ending + lost -> ending(finished): drop 1
        ending + lost 2 -> ending(finished): drop 2
        ending + lost a stranger -> ending(finished)
        ending + saved -> ending(finished)
        ending + stop -> ending(finished)
        ending + run failed -> ending(finished)
        over + tick -> over(finished)
        over + overslept -> over(finished)
        over + a minute -> over(finished)
        over + joined 4 -> over(finished)
        over + entered 4 -> over(finished)
        over + prepared -> over(finished)
        over + heard -> over(finished)
        over + ready -> over(finished)
        over + ready, other weights -> over(finished)
        over + halted -> over(finished)
        over + halted, broken -> over(finished)
        over + leaving -> over(finished)
        over + finished -> over(finished)
        over + finished otherwise -> over(finished)
        over + failed 4 -> over(finished)
        over + failed 3 -> over(finished)
        over + lost -> over(finished)
        over + lost 2 -> over(finished)
        over + lost a stranger -> over(finished)
        over + saved -> over(finished)
        over + stop -> over(finished)
        over + run failed -> over(finished)
        """

    @Test func everyPhaseAgainstEveryEvent() {
        var lines: [String] = []
        for phase in Self.phases {
            for event in Self.events {
                var harness = phase.make()
                let actions = summary(event.send(&harness))
                let line = "\(phase.name) + \(event.name) -> \(harness.phaseName)"
                lines.append(actions.isEmpty ? line : "\(line): \(actions)")
            }
        }
        let expected = Self.table.split(separator: "\n").map(String.init)
        #expect(lines.count == Self.phases.count * Self.events.count)
        for (line, expectation) in zip(lines, expected) { #expect(line == expectation) }
        #expect(lines.count == expected.count)
    }
}
