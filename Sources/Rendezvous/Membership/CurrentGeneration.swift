import WireFormat

extension Membership {
    /// The open generation, with what is true of it alone. Replaced as a whole by the next one.
    struct CurrentGeneration: Sendable {
        let description: GenerationDescription
        /// Whether its members were asked to leave after the step.
        var isPauseRequested = false
        /// Until when members that all want to leave wait for a newcomer's data; nil while they do
        /// not.
        var newcomerDeadline: Instant?
        /// The last change of its deal.
        var announcedDeal: DealChange?
        /// A better deal that was seen the last time.
        var wantedDeal: ReplicaDeal?
        /// When the deal is looked at again.
        var nextDealing: Instant
        /// Members that are expected to come back: rank by key.
        var expected: [String: Int] = [:]
        /// Members whose connection to this coordinator was lost and that may live on: rank by key.
        var departed: [String: Int] = [:]

        init(_ description: GenerationDescription, nextDealing: Instant) {
            self.description = description
            self.nextDealing = nextDealing
        }
    }

    /// What is true from the moment at which training is disturbed until a generation runs again.
    struct Recovery: Sendable {
        /// Since when no step can be made; nil while running.
        var since: Instant?
        /// Generations in a row that broke before all members were ready.
        var fruitlessCount = 0
        /// The last of them whose ring could not be connected; 0 for none.
        var failedRing: UInt32 = 0
        /// Why a member last left its ring.
        var lastCause: String?
    }

    /// Training is disturbed from now on, if it was not before.
    mutating func disturb(_ now: Instant) { recovery.since = recovery.since ?? now }
}
