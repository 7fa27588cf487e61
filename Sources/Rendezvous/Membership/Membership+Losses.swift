// Workers that fail or are lost: what that means in each phase, and when it ends the run.

import ExitCodes
import WireFormat

extension Membership {
    mutating func failed(_ id: MemberID, _ report: FailureReport, _ now: Instant) -> [Action] {
        guard let member = members[id], !isEnding else { return [] }
        let message = "\(MembershipMessages.name(member)) failed: \(report.message)"
        // A worker that lost its peers is not at fault. What a member cannot read, or a loss that
        // is not a number, fails the run; a newcomer's failure fails the newcomer alone.
        if report.exitCode == .peersLost || (member.rank == nil && generation != nil) {
            return lost(id, .gaveUp(report.message), now)
        }
        if case .gathering = phase, report.exitCode != .usage, report.exitCode != .data {
            members[id] = nil
            return [.drop(id), .note(message)]
        }
        return fail(report.exitCode, message, now)
    }

    mutating func lost(_ id: MemberID, _ cause: LossCause, _ now: Instant) -> [Action] {
        guard let member = members.removeValue(forKey: id) else { return [] }
        let message = MembershipMessages.loss(of: member, cause)
        switch phase {
        case .gathering:
            return [.drop(id), .note(message)]
        case .waiting:
            // No worker trains meanwhile: a worker that is lost here again and again keeps the run
            // from going on.
            return [.drop(id), .note(message)] + (endsTheRun(member, cause, message, now) ?? [])
        case .attaching:
            // It may come back once more, by its key.
            if let rank = member.rank { current?.expected[member.hello.key] = rank }
            return [.drop(id), .note(message)]
        case .preparing, .running, .regrouping:
            let actions: [Action] = [.drop(id), .note(message)]
            guard let rank = member.rank else { return actions }
            if let end = endsTheRun(member, cause, message, now) { return actions + end }
            if cause.isOfTheConnection { current?.departed[member.hello.key] = rank }
            if ring.isEmpty, current?.departed.isEmpty == false {
                expectBack(now)
                return actions
            }
            return actions + regroup(isBroken: true, now)
        case .ending(_, let outcome):
            return [.drop(id)] + (members.isEmpty ? conclude(outcome) : [])
        case .over:
            return []
        }
    }

    /// A slot whose workers are lost at one step again and again will not get beyond it.
    private mutating func endsTheRun(
        _ member: Member, _ cause: LossCause, _ message: String, _ now: Instant
    ) -> [Action]? {
        switch cause {
        case .connectionClosed, .connectionFailed, .gaveUp: break
        case .silent, .protocolViolation, .notReading, .stuck, .cutOff: return nil
        }
        let step = member.progress?.step ?? generation?.startStep ?? 0
        let before = losses[member.slot]
        let count = before?.step == step ? (before?.count ?? 0) + 1 : 1
        losses[member.slot] = (step, count)
        guard count >= Self.lossLimit else { return nil }
        return fail(
            .peersLost,
            "\(message); slot \(member.slot) has lost \(count) workers at step \(step)", now)
    }

    /// Losses in one slot at one step after which the run is given up.
    private static let lossLimit = 3
}
