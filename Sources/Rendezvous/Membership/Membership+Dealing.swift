// The deal follows the members' speed while a generation lasts. A worker's heartbeats say how long
// it computes for a replica. A better deal that is seen twice in a row is sent to all members; they
// adopt it, without this machine, after the first step at which all have it.

import WireFormat

extension Membership {
    /// How often the deal is looked at, and so how long a change must have been worthwhile.
    static let dealingInterval = Duration.seconds(1)

    mutating func dealBySpeed(_ now: Instant) -> [Action] {
        guard case .running = phase, stopReason == nil, let current, !current.isPauseRequested,
            now >= current.nextDealing
        else { return [] }
        self.current?.nextDealing = now + Self.dealingInterval
        let generation = current.description
        let announcedDeal = current.announcedDeal
        let members = ring
        // Not while the last change is still on its way to a member, or a member has not computed
        // yet.
        let progress = members.compactMap(\.progress)
        guard members.count == generation.workers.count, members.count > 1,
            progress.count == members.count,
            announcedDeal == nil || progress.allSatisfy({ $0.dealNumber == announcedDeal?.number })
        else { return [] }
        let presentDeal = announcedDeal?.deal ?? generation.deal
        let seconds = progress.compactMap(\.secondsPerReplica)
        guard seconds.count == members.count,
            let better = SpeedDeal.better(than: presentDeal, secondsPerReplica: seconds)
        else {
            self.current?.wantedDeal = nil
            return []
        }
        guard current.wantedDeal != nil else {
            self.current?.wantedDeal = better
            return []
        }
        self.current?.wantedDeal = nil
        lastDealNumber = max(lastDealNumber, progress.map(\.dealNumber).max() ?? 0) + 1
        let change = DealChange(
            generation: generation.number, number: lastDealNumber, deal: better)
        self.current?.announcedDeal = change
        return [.redeal(members.map(\.id), change)]
    }
}
