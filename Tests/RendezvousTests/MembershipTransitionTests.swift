// Every phase of the membership against every kind of event: the phase that follows and the actions.
// Two workers, connections 1 (rank 0) and 2 (rank 1); the event comes from connection 1 unless its
// name says otherwise. Notes for the log are left out of the actions.

import Rendezvous
import Testing
import WireFormat

struct MembershipTransitionTests {
    private static let phases: [(name: String, make: @Sendable () -> MembershipHarness)] = [
        (
            "gathering",
            {
                var harness = MembershipHarness()
                harness.join(1)
                return harness
            }
        ),
        (
            "preparing",
            {
                var harness = MembershipHarness()
                harness.join(1)
                harness.join(2)
                return harness
            }
        ),
        (
            "other ready",
            {
                var harness = MembershipHarness()
                harness.join(1)
                harness.join(2)
                harness.ready(2)
                return harness
            }
        ),
        ("running", { MembershipHarness.running() }),
        (
            "other finished",
            {
                var harness = MembershipHarness.running()
                harness.finish(2)
                return harness
            }
        ),
        (
            "blaming",
            {
                var harness = MembershipHarness.running()
                harness.fail(2, exitCode: 4)
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
            ("a minute", { $0.advance(.seconds(60)) }),
            ("joined 3", { $0.join(3) }),
            ("heard", { $0.handle(.heard(MemberID(1), WorkerHeartbeat(step: 1, phase: "step"))) }),
            ("ready", { $0.ready(1) }),
            ("ready, other weights", { $0.ready(1, digest: "ccc") }),
            ("finished", { $0.finish(1) }),
            ("finished, other weights", { $0.finish(1, digest: "ccc") }),
            ("failed 4", { $0.fail(1, exitCode: 4) }),
            ("failed 3", { $0.fail(1, exitCode: 3) }),
            ("lost", { $0.handle(.lost(MemberID(1), .connectionClosed)) }),
            ("lost 2", { $0.handle(.lost(MemberID(2), .connectionClosed)) }),
            ("lost a stranger", { $0.handle(.lost(MemberID(9), .connectionClosed)) }),
            ("stop", { $0.handle(.stopRequested(reason: "interrupted")) }),
            ("run failed", { $0.handle(.runFailed(exitCode: 1, message: "disk full")) }),
        ]

    private static let table = """
        gathering + tick -> gathering
        gathering + a minute -> ending(failed 4): abort 4 1
        gathering + joined 3 -> preparing: welcome 3 rank 1; open 1 with 1,3
        gathering + heard -> gathering
        gathering + ready -> gathering: drop 1
        gathering + ready, other weights -> gathering: drop 1
        gathering + finished -> gathering: drop 1
        gathering + finished, other weights -> gathering: drop 1
        gathering + failed 4 -> gathering: drop 1
        gathering + failed 3 -> ending(failed 3): abort 3 1
        gathering + lost -> gathering: drop 1
        gathering + lost 2 -> gathering
        gathering + lost a stranger -> gathering
        gathering + stop -> ending(failed 130): abort 130 1
        gathering + run failed -> ending(failed 1): abort 1 1
        preparing + tick -> preparing
        preparing + a minute -> ending(failed 4): abort 4 1,2
        preparing + joined 3 -> preparing: refuse 3 runFull
        preparing + heard -> preparing
        preparing + ready -> preparing
        preparing + ready, other weights -> preparing
        preparing + finished -> ending(failed 4): drop 1; abort 4 2
        preparing + finished, other weights -> ending(failed 4): drop 1; abort 4 2
        preparing + failed 4 -> blaming
        preparing + failed 3 -> ending(failed 3): abort 3 1,2
        preparing + lost -> ending(failed 4): drop 1; abort 4 2
        preparing + lost 2 -> ending(failed 4): drop 2; abort 4 1
        preparing + lost a stranger -> preparing
        preparing + stop -> preparing: stop 1,2
        preparing + run failed -> ending(failed 1): abort 1 1,2
        other ready + tick -> preparing
        other ready + a minute -> ending(failed 4): abort 4 1,2
        other ready + joined 3 -> preparing: refuse 3 runFull
        other ready + heard -> preparing
        other ready + ready -> running
        other ready + ready, other weights -> ending(failed 1): abort 1 1,2
        other ready + finished -> ending(failed 4): drop 1; abort 4 2
        other ready + finished, other weights -> ending(failed 4): drop 1; abort 4 2
        other ready + failed 4 -> blaming
        other ready + failed 3 -> ending(failed 3): abort 3 1,2
        other ready + lost -> ending(failed 4): drop 1; abort 4 2
        other ready + lost 2 -> ending(failed 4): drop 2; abort 4 1
        other ready + lost a stranger -> preparing
        other ready + stop -> preparing: stop 1,2
        other ready + run failed -> ending(failed 1): abort 1 1,2
        running + tick -> running
        running + a minute -> over(failed 4): drop 1; abort 4 2; drop 2; conclude failed 4
        running + joined 3 -> running: refuse 3 runFull
        running + heard -> running
        running + ready -> ending(failed 4): drop 1; abort 4 2
        running + ready, other weights -> ending(failed 4): drop 1; abort 4 2
        running + finished -> running
        running + finished, other weights -> running
        running + failed 4 -> blaming
        running + failed 3 -> ending(failed 3): abort 3 1,2
        running + lost -> ending(failed 4): drop 1; abort 4 2
        running + lost 2 -> ending(failed 4): drop 2; abort 4 1
        running + lost a stranger -> running
        running + stop -> running: stop 1,2
        running + run failed -> ending(failed 1): abort 1 1,2
        other finished + tick -> running
        other finished + a minute -> over(failed 4): drop 1; abort 4 2; drop 2; conclude failed 4
        other finished + joined 3 -> running: refuse 3 runFull
        other finished + heard -> running
        other finished + ready -> ending(failed 4): drop 1; abort 4 2
        other finished + ready, other weights -> ending(failed 4): drop 1; abort 4 2
        other finished + finished -> ending(finished): end 1,2
        other finished + finished, other weights -> ending(failed 1): abort 1 1,2
        other finished + failed 4 -> blaming
        other finished + failed 3 -> ending(failed 3): abort 3 1,2
        other finished + lost -> ending(failed 4): drop 1; abort 4 2
        other finished + lost 2 -> ending(failed 4): drop 2; abort 4 1
        other finished + lost a stranger -> running
        other finished + stop -> running: stop 1,2
        other finished + run failed -> ending(failed 1): abort 1 1,2
        blaming + tick -> blaming
        blaming + a minute -> ending(failed 4): abort 4 1,2
        blaming + joined 3 -> blaming: refuse 3 runFull
        blaming + heard -> blaming
        blaming + ready -> ending(failed 4): drop 1; abort 4 2
        blaming + ready, other weights -> ending(failed 4): drop 1; abort 4 2
        blaming + finished -> blaming
        blaming + finished, other weights -> blaming
        blaming + failed 4 -> ending(failed 4): abort 4 1,2
        blaming + failed 3 -> ending(failed 3): abort 3 1,2
        blaming + lost -> ending(failed 4): drop 1; abort 4 2
        blaming + lost 2 -> blaming: drop 2
        blaming + lost a stranger -> blaming
        blaming + stop -> blaming: stop 1,2
        blaming + run failed -> ending(failed 1): abort 1 1,2
        ending + tick -> ending(finished)
        ending + a minute -> over(finished): conclude finished
        ending + joined 3 -> ending(finished): refuse 3 runOver
        ending + heard -> ending(finished)
        ending + ready -> ending(finished)
        ending + ready, other weights -> ending(finished)
        ending + finished -> ending(finished)
        ending + finished, other weights -> ending(finished)
        ending + failed 4 -> ending(finished)
        ending + failed 3 -> ending(finished)
        ending + lost -> ending(finished): drop 1
        ending + lost 2 -> ending(finished): drop 2
        ending + lost a stranger -> ending(finished)
        ending + stop -> ending(finished)
        ending + run failed -> ending(finished)
        over + tick -> over(finished)
        over + a minute -> over(finished)
        over + joined 3 -> over(finished)
        over + heard -> over(finished)
        over + ready -> over(finished)
        over + ready, other weights -> over(finished)
        over + finished -> over(finished)
        over + finished, other weights -> over(finished)
        over + failed 4 -> over(finished)
        over + failed 3 -> over(finished)
        over + lost -> over(finished)
        over + lost 2 -> over(finished)
        over + lost a stranger -> over(finished)
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
