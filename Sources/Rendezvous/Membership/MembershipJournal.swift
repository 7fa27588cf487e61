// What a coordinator has to know of the one that it takes over from: small, written whenever a
// generation opens, before its members learn of it. The run's folder says how far the run is
// recorded.

import WireFormat

/// The open generation and who is in it.
package struct MembershipJournal: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        /// The worker's key, from its hello.
        package var key: String
        package var slot: Int
        package var hostName: String
        package var processID: Int32

        package init(key: String, slot: Int, hostName: String, processID: Int32) {
            self.key = key
            self.slot = slot
            self.hostName = hostName
            self.processID = processID
        }
    }

    /// A change of the generation's deal.
    package struct Change: Codable, Hashable, Sendable {
        package var number: Int
        package var deal: ReplicaDeal

        package init(number: Int, deal: ReplicaDeal) {
            self.number = number
            self.deal = deal
        }
    }

    /// The secret by which the workers of the run know each other.
    package var runToken: String
    package var generation: UInt32
    package var deal: ReplicaDeal
    package var startStep: Int
    package var arithmetic: String
    /// By rank.
    package var members: [Entry]
    /// Changes of the deal that have been announced to the members.
    package var changes: [Change]?

    package init(
        runToken: String, generation: UInt32, deal: ReplicaDeal, startStep: Int,
        arithmetic: String, members: [Entry], changes: [Change]? = nil
    ) {
        self.runToken = runToken
        self.generation = generation
        self.deal = deal
        self.startStep = startStep
        self.arithmetic = arithmetic
        self.members = members
        self.changes = changes
    }

    /// Far beyond what a run can reach, and far enough from the largest number to count on.
    private static let generationLimit: UInt32 = 1 << 30

    /// What makes the journal unusable for a run with this number of replicas and these levels of
    /// arithmetic; nil when it can be used.
    package func problem(replicaCount: Int, arithmeticLevels: [String]) -> String? {
        if members.count != deal.worldSize {
            return "\(members.count) members in a deal for \(deal.worldSize)"
        }
        let counts = [deal.replicaCount] + (changes ?? []).map(\.deal.replicaCount)
        if let count = counts.first(where: { $0 != replicaCount }) {
            return "a deal of \(count) replicas in a run of \(replicaCount)"
        }
        if (changes ?? []).contains(where: { $0.deal.worldSize != deal.worldSize }) {
            return "deals for different numbers of workers"
        }
        if !(1...Self.generationLimit ~= generation) { return "generation \(generation)" }
        if startStep < 0 { return "step \(startStep)" }
        if !arithmeticLevels.contains(arithmetic) { return "the arithmetic '\(arithmetic)'" }
        return runToken.isEmpty ? "no token" : nil
    }
}
