import WireFormat

extension Membership {
    /// One worker, from its welcome on.
    struct Member: Sendable {
        let id: MemberID
        let hello: WorkerHello
        /// The slot that it fills: its name for people, and what orders the ring.
        let slot: Int
        var lastHeard: Instant
        var progress: WorkerHeartbeat?
        var isPrepared = false
        var leaveReason: String?
        /// Its part in the open generation; nil while it waits for the next.
        var part: Part?

        /// What a worker is in one generation, and what it has reported there.
        struct Part: Sendable {
            let rank: Int
            var ready: ReadyReport?
            var halted: HaltReport?
            var finished: FinishedReport?
        }

        init(id: MemberID, hello: WorkerHello, slot: Int, now: Instant) {
            self.id = id
            self.hello = hello
            self.slot = slot
            lastHeard = now
        }

        var rank: Int? { part?.rank }
        var ready: ReadyReport? { part?.ready }
        var halted: HaltReport? { part?.halted }
        var finished: FinishedReport? { part?.finished }

        /// Whether it has left the ring of the open generation.
        var hasLeftRing: Bool { halted != nil || finished != nil }

        /// The step of its state; nil if it has none.
        var stateStep: Int? {
            if let finished { return finished.step }
            guard let halted, halted.hasState else { return nil }
            return halted.step
        }

        var description: WorkerDescription {
            WorkerDescription(
                rank: rank ?? slot, slot: slot, hostName: hello.hostName,
                processID: hello.processID, arithmetic: hello.arithmetic)
        }
    }
}
