// The proof that a run has used each sample of each epoch exactly once, from what its workers have
// reported (the ledger) and what they should have done (the plan that follows from the
// configuration and the number of samples).
//
// Three things are looked at, and none is concluded from another: each step stands in the ledger
// once and used the positions that the plan gives it; the positions that all steps of an epoch used
// cover its order exactly, and the order holds every sample once; the members of each generation
// computed each replica exactly once.

import Datasets
import Foundation

/// What an audit has found.
package struct AuditReport: Codable, Equatable, Sendable {
    /// The positions of one epoch, by how often the run used them.
    package struct Epoch: Codable, Equatable, Sendable {
        /// Counted from 1.
        package var epoch: Int
        package var steps: Int
        package var samples: Int
        package var usedOnce: Int
        package var usedMoreOften: Int
        /// By the plan: too few for another step at the end of the epoch.
        package var leftOut: Int
        /// Not yet, while the run is in this epoch.
        package var unused: Int
        package var isComplete: Bool
    }

    package var steps = 0
    package var totalSteps: Int
    package var generations = 0
    /// Different worker processes.
    package var workers = 0
    package var epochs: [Epoch] = []
    /// The first faults, in words.
    package var faults: [String] = []
    package var faultCount = 0

    package var isClean: Bool { faultCount == 0 }
}

/// Takes the lines of a ledger in order.
package struct LedgerAudit {
    /// Faults that are told in words.
    private static let faultLimit = 20

    private struct Process: Hashable {
        let host: String
        let pid: Int32
    }

    private let plan: StepPlan
    private let order: (_ epoch: Int) -> [UInt32]
    private var report: AuditReport
    /// The generation of the last step, and those opened since.
    private var generations: [LedgerGeneration] = []
    /// Whether the last step's generation is the first of them.
    private var hasGeneration = false
    private var processes: Set<Process> = []
    /// The epoch under way, from 1; how often each of its positions was used.
    private var epoch = 0
    private var uses: [UInt8] = []
    private var epochSteps = 0
    /// Whether the ledger ends within a line.
    private var isTorn = false

    /// - Parameters:
    ///   - totalSteps: the steps of the whole run.
    ///   - order: the samples of an epoch (from 0) in their order.
    package init(plan: StepPlan, totalSteps: Int, order: @escaping (_ epoch: Int) -> [UInt32]) {
        self.plan = plan
        self.order = order
        report = AuditReport(totalSteps: totalSteps)
    }

    /// Takes the bytes of a ledger. A last line without an end is one that is being written.
    package mutating func take(ledger bytes: Data) {
        var start = bytes.startIndex
        var number = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            number += 1
            if let line = LedgerLine(bytes[start..<end]) {
                take(line)
            } else {
                fault("line \(number) cannot be read")
            }
            start = end + 1
        }
        isTorn = start < bytes.endIndex
    }

    /// The samples that are counted are not the run's.
    package mutating func noteOtherData() {
        fault("the data files are not those that the run was trained with")
    }

    package mutating func take(_ line: LedgerLine) {
        switch line {
        case .generation(let generation): take(generation)
        case .step(let step): take(step)
        }
    }

    /// What was found.
    ///
    /// - Parameter finishedStep: the step of the run's final model; nil if it has none.
    package mutating func finish(finishedStep: Int?) -> AuditReport {
        finishEpoch(isLast: true)
        // A run that was made longer keeps its model until it has ended again.
        if let finishedStep, finishedStep > report.steps {
            fault(
                "\(Self.steps(report.steps + 1, finishedStep)) missing: the final model is that of step "
                    + "\(finishedStep)")
        }
        if let finishedStep, finishedStep == report.steps, isTorn {
            fault("something follows the last line of a run that has ended")
        }
        report.workers = processes.count
        return report
    }

    // MARK: - Lines

    private mutating func take(_ line: LedgerGeneration) {
        generations.insertInOrder(line)
        report.generations += 1
        let name = "generation \(line.generation)"
        if line.after < report.steps {
            fault("\(name) begins after step \(line.after), but follows step \(report.steps)")
        }
        var owners = [Int](repeating: 0, count: plan.replicas)
        var members: Set<Process> = []
        for worker in line.workers {
            let process = Process(host: worker.host, pid: worker.pid)
            processes.insert(process)
            if !members.insert(process).inserted {
                fault("\(name): process \(worker.pid) on \(worker.host) is a member twice")
            }
            guard worker.first >= 0, worker.count > 0, worker.first <= plan.replicas,
                worker.count <= plan.replicas - worker.first
            else {
                fault("\(name): worker \(worker.slot) has replicas that are not there")
                continue
            }
            for replica in worker.first..<worker.first + worker.count { owners[replica] += 1 }
        }
        for (replica, count) in owners.enumerated() where count != 1 {
            fault(
                "\(name): replica \(replica) belongs to \(count == 0 ? "no" : "\(count)") workers")
        }
    }

    private mutating func take(_ line: LedgerStep) {
        let expected = report.steps + 1
        if line.step < expected {
            fault("step \(line.step) follows step \(report.steps)")
        } else if line.step > expected {
            fault("\(Self.steps(expected, line.step - 1)) missing")
        }
        if line.step > report.totalSteps, report.steps <= report.totalSteps {
            fault("step \(line.step) is beyond the run's \(report.totalSteps) steps")
        }
        report.steps = max(report.steps, line.step)
        checkMembers(line)
        if line.step < 1 { return fault("there is no step \(line.step)") }
        let positions = plan.positions(ofStep: line.step - 1)
        let planned = plan.epoch(ofStep: line.step - 1) + 1
        if line.epoch != planned || line.first != positions.lowerBound
            || line.count != positions.count
        {
            fault(
                "step \(line.step) used \(Self.words(line.first, line.count)) of epoch "
                    + "\(line.epoch), but has \(Self.words(positions.lowerBound, positions.count)) "
                    + "of epoch \(planned)")
        }
        use(line)
    }

    /// A step is that of the last generation that began before it, and that one's first step
    /// follows its start.
    private mutating func checkMembers(_ line: LedgerStep) {
        guard let own = generations.lastIndex(where: { $0.after < line.step }) else {
            return fault(
                "step \(line.step) names generation \(line.generation), but no members precede it")
        }
        if own > 0 || !hasGeneration, line.step != generations[own].after + 1 {
            fault(
                "generation \(generations[own].generation) begins after step "
                    + "\(generations[own].after), but its first step is \(line.step)")
        }
        generations.removeFirst(own)
        hasGeneration = true
        if line.generation != generations[0].generation {
            fault(
                "step \(line.step) names generation \(line.generation), but follows the members of "
                    + "\(generations[0].generation)")
        }
    }

    // MARK: - Epochs

    private mutating func use(_ line: LedgerStep) {
        guard line.epoch > 0 else { return fault("step \(line.step) names epoch \(line.epoch)") }
        if line.epoch != epoch {
            guard line.epoch > epoch else {
                return fault("step \(line.step) goes back to epoch \(line.epoch)")
            }
            finishEpoch(isLast: false)
            // An epoch costs memory and time, and a line that is not true could name any.
            if line.epoch - epoch > 1 {
                fault("epoch \(epoch + 1) has no steps")
            }
            epoch = line.epoch
            epochSteps = 0
            uses = [UInt8](repeating: 0, count: plan.sampleCount)
        }
        epochSteps += 1
        guard line.first <= plan.sampleCount, line.count <= plan.sampleCount - line.first else {
            return fault("step \(line.step) used samples that epoch \(line.epoch) does not have")
        }
        for position in line.first..<line.first + line.count where uses[position] < .max {
            uses[position] += 1
        }
    }

    private mutating func finishEpoch(isLast: Bool) {
        guard epoch > 0 else { return }
        let usable = min(plan.sampleCount, plan.stepsPerEpoch * plan.globalBatchSize)
        let isComplete = report.steps >= epoch * plan.stepsPerEpoch || !isLast
        var counts = (never: 0, once: 0, more: 0)
        for (position, count) in uses.enumerated() {
            switch count {
            case 0: counts.never += position < usable ? 1 : 0
            case 1: counts.once += 1
            default: counts.more += 1
            }
        }
        report.epochs.append(
            AuditReport.Epoch(
                epoch: epoch, steps: epochSteps, samples: plan.sampleCount,
                usedOnce: counts.once, usedMoreOften: counts.more,
                leftOut: plan.sampleCount - usable, unused: counts.never, isComplete: isComplete))
        if counts.more > 0 {
            fault("epoch \(epoch): \(counts.more) samples were used more than once")
        }
        if isComplete, counts.never > 0 {
            fault("epoch \(epoch): \(counts.never) samples were not used")
        }
        if !Self.isPermutation(order(epoch - 1), of: plan.sampleCount) {
            fault("epoch \(epoch): its order does not hold every sample once")
        }
    }

    private static func isPermutation(_ order: [UInt32], of count: Int) -> Bool {
        guard order.count == count else { return false }
        var seen = [Bool](repeating: false, count: count)
        for sample in order {
            guard Int(sample) < count, !seen[Int(sample)] else { return false }
            seen[Int(sample)] = true
        }
        return true
    }

    // MARK: - Words

    private mutating func fault(_ words: String) {
        report.faultCount += 1
        if report.faults.count < Self.faultLimit { report.faults.append(words) }
    }

    private static func steps(_ first: Int, _ last: Int) -> String {
        first == last ? "step \(first) is" : "steps \(first)-\(last) are"
    }

    private static func words(_ first: Int, _ count: Int) -> String {
        count == 0 ? "no samples" : "samples \(first)-\(first + count - 1)"
    }
}
