// What goes into the membership's state machine and what comes out of it, and the bounds it works
// with. Plain data, so that a test can write down a transition as two lists.

import WireFormat

extension Membership {
    /// What happened.
    package enum Event: Hashable, Sendable {
        /// Time has passed.
        case tick
        /// The coordinator itself has not run for a while: silences count from now on.
        case overslept
        case joined(MemberID, WorkerHello)
        /// Anything came from the worker; with the progress when it was a heartbeat.
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
        /// The worker's connection is of no more use.
        case lost(MemberID, LossCause)
        /// The state after this step can be restored from now on.
        case saved(step: Int)
        /// Somebody wants the run to end after the current step.
        case stopRequested(reason: String)
        /// The coordinator itself cannot go on, or shall not.
        case runFailed(exitCode: Int32, message: String)
    }

    /// What must be done.
    package enum Action: Hashable, Sendable {
        case welcome(MemberID, WorkerDescription)
        /// The worker goes on in the open generation.
        case attach(MemberID, WorkerDescription)
        /// Tell the worker and close its connection.
        case refuse(MemberID, Refusal)
        /// Tell the worker and close its connection; it will join again.
        case restart(MemberID, arithmetic: String)
        /// Send every member (listed in rank order) its assignment.
        case openGeneration(GenerationDescription, members: [MemberID])
        /// All members of the generation train from the same state; `pause` is how long nobody did.
        case running(GenerationDescription, pause: Duration?)
        /// Tell the members of a generation of another deal.
        case redeal([MemberID], DealChange)
        /// Tell the workers to leave the ring of that generation at once.
        case halt([MemberID], generation: UInt32)
        /// Tell the workers to leave the ring of that generation after the step.
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
