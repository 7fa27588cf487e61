// What goes into the membership's state machine and what comes out of it. Plain data, so that a
// test can write down a transition as two lists.

import ExitCodes
import WireFormat

extension Membership {
    /// What happened.
    package enum Event: Hashable, Sendable {
        /// Time has passed.
        case tick
        /// The coordinator itself has not run for a while: silences count from now on.
        case overslept
        case joined(MemberID, WorkerHello)
        /// A message came from the worker; with the progress when it was a heartbeat.
        case heard(MemberID, WorkerHeartbeat?)
        /// The worker has read its data.
        case prepared(MemberID)
        case ready(MemberID, ReadyReport)
        /// The worker has left its ring.
        case halted(MemberID, HaltReport)
        /// The worker wants to be left out.
        case leaving(MemberID, LeaveRequest)
        case finished(MemberID, FinishedReport)
        /// The worker says that it cannot go on.
        case failed(MemberID, FailureReport)
        /// The worker's connection can no longer be used.
        case lost(MemberID, LossCause)
        /// The state after this step can be restored from now on.
        case saved(step: Int)
        /// A request to end the run after the current step.
        case stopRequested(reason: String)
        /// The coordinator itself cannot or must not go on.
        case runFailed(exitCode: ExitCode, message: String)
    }

    /// What must be done.
    package enum Action: Hashable, Sendable {
        case welcome(MemberID, WorkerDescription)
        /// The worker goes on in the open generation.
        case attach(MemberID, WorkerDescription)
        /// Send the worker the reason and close its connection.
        case refuse(MemberID, Refusal)
        /// Send the worker the arithmetic and close its connection; it will join again.
        case restart(MemberID, arithmetic: String)
        /// Send every member (listed in rank order) its assignment.
        case openGeneration(GenerationDescription, members: [MemberID])
        /// All members of the generation train from the same state; `pause` is how long no step
        /// could be made.
        case running(GenerationDescription, pause: Duration?)
        /// Send the members of a generation another deal.
        case redeal([MemberID], DealChange)
        /// Ask the workers to leave the ring of that generation at once.
        case halt([MemberID], generation: UInt32)
        /// Ask the workers to leave the ring of that generation after the step.
        case pause([MemberID], generation: UInt32)
        case stop([MemberID], reason: String)
        case end([MemberID])
        case abort([MemberID], FailureReport)
        /// Close the connection; nothing more is expected from it.
        case drop(MemberID)
        /// A line for the log.
        case note(String)
        /// Nothing is left to do: close everything and return the outcome.
        case conclude(RunOutcome)
    }
}
