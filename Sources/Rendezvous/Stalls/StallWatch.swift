// Every stall has a name: when no step has come for much longer than steps take, this finds out who
// is waited for, what that worker was last seen doing, and what class of cause fits.
//
// In a ring all workers wait for each other, so the one to name is the one that is *not* waiting in
// the ring: it computes, reads data, saves, or is silent. Only if all of them wait in the ring is
// it a link between two of them. Pure: the membership and the time are passed in.

import WireFormat

/// Watches the steps that come, and says so when none does.
package struct StallWatch {
    package typealias Instant = ContinuousClock.Instant

    private static let shortest = Duration.seconds(5)
    private static let shortestOfEvaluation = Duration.seconds(30)
    private static let slowness = 10.0
    private static let recentLimit = 64

    /// How a worker was first seen doing what it does.
    private struct Sighting {
        var progress: WorkerHeartbeat
        var since: Instant
    }

    private let heartbeatInterval: Duration
    /// When the last step came, or the generation began to run.
    package private(set) var lastCommit: Instant
    private var recent: [(seconds: Double, sampleCount: Int)] = []
    private var evaluationSeconds = 0.0
    private var sightings: [MemberID: Sighting] = [:]
    /// Lines about the present stall.
    private var lineCount = 0
    private var nextLine: Instant?

    package init(heartbeatInterval: Duration, now: Instant) {
        self.heartbeatInterval = heartbeatInterval
        lastCommit = now
    }

    // MARK: - What happens

    package mutating func committed(_ reports: [StepReport], now: Instant) {
        recent += reports.suffix(Self.recentLimit).map { ($0.seconds, $0.sampleCount) }
        recent.removeFirst(max(0, recent.count - Self.recentLimit))
        restart(now: now)
    }

    package mutating func evaluated(_ report: EvaluationReport) {
        evaluationSeconds = report.seconds
    }

    /// Steps are expected from now on.
    package mutating func restart(now: Instant) {
        lastCommit = now
        lineCount = 0
        nextLine = nil
    }

    /// The speed of the last steps.
    package var samplesPerSecond: Double {
        let seconds = recent.reduce(0) { $0 + $1.seconds }
        let count = recent.reduce(0) { $0 + $1.sampleCount }
        return seconds > 0 ? Double(count) / seconds : 0
    }

    private var medianSeconds: Double? {
        guard !recent.isEmpty else { return nil }
        return recent.map(\.seconds).sorted()[recent.count / 2]
    }

    // MARK: - The line

    /// The line that is due; nil while there is no stall, and between two lines about one.
    package mutating func line(
        of membership: Membership, now: Instant, processState: (String, Int32) -> ProcessState
    ) -> String? {
        follow(membership, now)
        guard membership.isUnderWay, membership.stopReason == nil else { return nil }
        let silence = now - lastCommit
        guard silence >= threshold(membership), now >= nextLine ?? lastCommit else { return nil }
        // 5 s, 10 s, 20 s, ... after the last step: a long stall does not fill the log.
        lineCount += 1
        nextLine = lastCommit + silence * 2
        return StallMessages.line(
            silence: silence, median: medianSeconds,
            suspects: suspects(membership, now, processState), membership)
    }

    private func threshold(_ membership: Membership) -> Duration {
        let steps = max(Self.shortest, .seconds((medianSeconds ?? 0) * Self.slowness))
        guard membership.ring.contains(where: { $0.progress?.phase == "evaluation" }) else {
            return steps
        }
        return max(steps, Self.shortestOfEvaluation, .seconds(evaluationSeconds * 3))
    }

    private mutating func follow(_ membership: Membership, _ now: Instant) {
        for (id, member) in membership.members {
            guard let progress = member.progress, sightings[id]?.progress != progress else {
                continue
            }
            sightings[id] = Sighting(progress: progress, since: now)
        }
        if sightings.count > membership.members.count {
            sightings = sightings.filter { membership.members[$0.key] != nil }
        }
    }

    /// The workers for which the others wait.
    private func suspects(
        _ membership: Membership, _ now: Instant,
        _ processState: (String, Int32) -> ProcessState
    ) -> [StallSuspect] {
        let awaited: [Membership.Member]
        switch membership.phase {
        case .preparing: awaited = membership.ring.filter { $0.ready == nil }
        case .regrouping: awaited = membership.ring.filter { !$0.hasLeftRing }
        default: awaited = membership.ring
        }
        let all = awaited.map { member in
            let isSilent = now - member.lastHeard > max(heartbeatInterval * 3, .seconds(1))
            let state =
                isSilent
                ? processState(member.hello.hostName, member.hello.processID) : .running
            return StallSuspect(
                member: member, silence: isSilent ? now - member.lastHeard : nil, state: state,
                phaseTime: sightings[member.id].map { now - $0.since })
        }
        let silent = all.filter { $0.silence != nil }
        if !silent.isEmpty { return silent }
        let busy = all.filter { $0.phase != "ring" }
        // The busy worker that is furthest behind holds the others up.
        let lowest = busy.map(\.step).min()
        return busy.isEmpty ? all : busy.filter { $0.step == lowest }
    }
}
