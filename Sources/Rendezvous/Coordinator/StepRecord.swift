// Puts reports of steps in the order of the steps. After a change of members the first rank's new
// steps and the root's repeated ones come on two connections, in any order; early reports wait for
// the missing ones, because the record of a run has no gaps.

import WireFormat

/// Puts reports in order. Used by the coordinator's thread.
package struct StepRecord {
    /// Reports kept that are early; a sound run has far fewer.
    private static let earlyLimit = 1 << 16
    /// A gap that has not been filled for this long never will be: the workers that had its reports
    /// are lost.
    package static let patience = Duration.seconds(5)

    private var early: [StepReport] = []
    private var earlySince: ContinuousClock.Instant?

    package init() {}

    /// The reports that follow step `recorded` without a gap, `reports` included.
    package mutating func take(
        _ reports: [StepReport], after recorded: Int, now: ContinuousClock.Instant
    ) -> [StepReport] {
        early += reports.filter { $0.step > recorded }
        early.sort { $0.step < $1.step }
        if early.count > Self.earlyLimit { early.removeLast(early.count - Self.earlyLimit) }
        return contiguous(after: recorded, now: now)
    }

    private mutating func contiguous(
        after recorded: Int, now: ContinuousClock.Instant
    ) -> [StepReport] {
        var result: [StepReport] = []
        var last = recorded
        var used = 0
        for report in early {
            guard report.step <= last + 1 else { break }
            used += 1
            guard report.step == last + 1 else { continue }
            result.append(report)
            last = report.step
        }
        early.removeFirst(used)
        earlySince = early.isEmpty ? nil : result.isEmpty ? earlySince ?? now : now
        return result
    }

    /// Gives up on a gap that has lasted too long: returns the reports behind it, and the steps of
    /// the gap.
    package mutating func takeBehindGap(
        after recorded: Int, now: ContinuousClock.Instant
    ) -> (reports: [StepReport], missing: ClosedRange<Int>)? {
        guard let earlySince, now - earlySince >= Self.patience, let first = early.first else {
            return nil
        }
        let missing = recorded + 1...first.step - 1
        return (contiguous(after: first.step - 1, now: now), missing)
    }

    /// The steps after `step` will be computed again.
    package mutating func rewind(to step: Int) { early.removeAll { $0.step > step } }
}
