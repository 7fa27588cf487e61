// What a coordinator has to know of the one whose place it takes: small, written whenever a generation
// opens, before anybody is told of it. How far the run is recorded, the run's folder tells.

import WireFormat

/// The open generation and who is in it.
package struct MembershipJournal: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        /// The worker's own, from its hello.
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
    /// Changes of the deal that have been announced to them.
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

    /// What makes it unusable, nil when nothing does.
    package var problem: String? {
        members.count == deal.worldSize && !runToken.isEmpty && generation > 0 && startStep >= 0
            ? nil : "\(members.count) members in a deal for \(deal.worldSize)"
    }
}
