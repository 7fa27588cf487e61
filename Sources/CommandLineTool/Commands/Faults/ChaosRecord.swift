// What came of the events: how long the run took to go on, and what it had to compute again; and
// the table of it. The times come from the run's own files: ledger.jsonl says which generation
// committed a step, metrics.jsonl when, and how long the step itself took.

import RunFolders
import RunProcesses
import Foundation
import Training

/// What one event has cost.
package struct ChaosOutcome: Equatable, Codable, Sendable {
    package var number: Int
    package var kind: ChaosKind
    /// From the event to the commit of the first step that the new members have committed, or,
    /// where the members stayed the same, of the first step after the event.
    package var recoverySeconds: Double
    /// The part of it that this step took, mostly the lost replicas computed again, and an
    /// evaluation that was due before it.
    package var computingSeconds: Double
    /// Steps that were computed in whole or in part before the event and once more after it.
    package var recomputedSteps: Int

    /// What is left without the computation.
    package var pauseSeconds: Double { max(0, recoverySeconds - computingSeconds) }

    package init(
        number: Int, kind: ChaosKind, recoverySeconds: Double, computingSeconds: Double,
        recomputedSteps: Int
    ) {
        self.number = number
        self.kind = kind
        self.recoverySeconds = recoverySeconds
        self.computingSeconds = computingSeconds
        self.recomputedSteps = recomputedSteps
    }
}

/// How an event found the run.
package struct ChaosMoment: Equatable, Sendable {
    /// Seconds since 1970.
    package var time: Double
    package var generation: UInt32
    package var step: Int

    package init(time: Double, generation: UInt32, step: Int) {
        self.time = time
        self.generation = generation
        self.step = step
    }
}

/// A step of the run as its files tell of it.
private struct TimedStep: Decodable {
    let step: Int
    let time: Double?
    let seconds: Double
    /// Steps have one, evaluations do not.
    let learningRate: Double?

    enum CodingKeys: String, CodingKey {
        case step, time, seconds
        case learningRate = "learning_rate"
    }
}

package enum ChaosFiles {
    /// The lines of the ledger that can be read.
    package static func ledger(in folder: RunFolder) -> [LedgerLine] {
        let bytes = FileManager.default.contents(atPath: folder.ledgerPath) ?? Data()
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { LedgerLine($0) }
    }

    /// What an event came to; nil while no step tells of it.
    ///
    /// - Parameter breaksTheStep: whether the step under way had to be begun anew.
    package static func outcome(
        of event: ChaosEvent, since moment: ChaosMoment, breaksTheStep: Bool, in folder: RunFolder
    ) -> ChaosOutcome? {
        var start: Int?
        var first: Int?
        for line in ledger(in: folder) {
            switch line {
            case .generation(let read) where read.generation > moment.generation:
                start = start ?? read.after
            case .step(let read) where read.generation > moment.generation:
                first = first ?? read.step
            default: break
            }
        }
        let isSame = first == nil
        guard let commit = commit(of: first, after: moment.time, in: folder) else { return nil }
        let again =
            isSame ? 0 : max(0, moment.step - (start ?? moment.step)) + (breaksTheStep ? 1 : 0)
        let recovery = max(0, commit.time - moment.time)
        // It may also have ended before the event.
        let isInside = commit.seconds + commit.evaluationSeconds <= recovery
        let evaluation = isInside ? commit.evaluationSeconds : 0
        return ChaosOutcome(
            number: event.number, kind: event.kind,
            recoverySeconds: recovery, computingSeconds: commit.seconds + evaluation,
            recomputedSteps: again)
    }

    /// When a step was committed, or the first one after a time, how long it took, and how long an
    /// evaluation right before it.
    private static func commit(
        of step: Int?, after time: Double, in folder: RunFolder
    ) -> (time: Double, seconds: Double, evaluationSeconds: Double)? {
        let bytes = FileManager.default.contents(atPath: folder.metricsPath) ?? Data()
        let decoder = JSONDecoder()
        var found: (step: Int, time: Double, seconds: Double)?
        var evaluations: [Int: Double] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")).reversed() {
            guard let read = try? decoder.decode(TimedStep.self, from: line) else { continue }
            guard read.learningRate != nil, let commitTime = read.time else {
                evaluations[read.step] = read.seconds
                continue
            }
            if step.map({ read.step < $0 }) ?? (commitTime <= time) { break }
            if step == nil || read.step == step { found = (read.step, commitTime, read.seconds) }
        }
        return found.map { ($0.time, $0.seconds, evaluations[$0.step - 1] ?? 0) }
    }
}

/// The table at the end: per kind the median, the 95th percentile and the maximum of the pauses and
/// of the times to the next step.
package enum ChaosTable {
    package static func lines(_ outcomes: [ChaosOutcome]) -> [String] {
        var rows: [[String]] = []
        for kind in ChaosKind.allCases {
            let those = outcomes.filter { $0.kind == kind }
            guard !those.isEmpty else { continue }
            let pauses = those.map(\.pauseSeconds).sorted()
            let whole = those.map(\.recoverySeconds).sorted()
            rows.append(
                [kind.description, "\(those.count)"]
                    + [median(pauses), percentile95(pauses), pauses.last ?? 0].map(text)
                    + [median(whole), percentile95(whole), whole.last ?? 0].map(text)
                    + ["\(those.map(\.recomputedSteps).max() ?? 0)"])
        }
        return TextTable.lines(
            head: [
                "event", "count", "pause (s)", "95 %", "max", "to a step (s)", "95 %", "max",
                "steps again",
            ], rows: rows)
    }

    /// Of sorted values; the mean of the two in the middle.
    package static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        return (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
    }

    /// Of sorted values: the smallest that 95 % do not exceed.
    package static func percentile95(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        return values[min(values.count - 1, (values.count * 95 + 99) / 100 - 1)]
    }

    /// Hundredths.
    static func text(_ seconds: Double) -> String {
        let hundredths = Int((seconds * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
