import Collectives
import Learning
import Rendezvous
import WireFormat

// The shared work before a step (rollouts, self-play) is part of the step's transaction: whatever
// breaks, each worker takes the values of a step once. They are kept until the next step's are
// there, as gradients are until their step is committed.
//
// Within a ring all members do the work in lock step. Where a ring breaks between the gathering and
// the step's commit, some members may have taken the values and others not. So the members of a new
// ring ask each other first:
//
//     all have them       nothing to do
//     none has them       the work is done, by the new deal of its parts
//     some have them      the first of these broadcasts what it has kept

/// The work before the coming step. Used by the worker's main thread.
struct StepPreparation {
    private var isFirstOfRing = true
    /// The values of the last step that was worked for; nil where they came with a peer's state.
    private var kept: (step: Int, values: [[Double]])?

    mutating func enterRing() { isFirstOfRing = true }

    /// Takes the values for `step`, by doing the work with the others if need be.
    mutating func prepare(
        step: Int, _ work: any SharedWork, _ model: TrainedModel, _ group: ProcessGroup
    ) throws {
        if isFirstOfRing {
            let having = try ranks(having: model.workedStep == step, step: step, group)
            isFirstOfRing = false
            if having.count == group.worldSize { return }
            if let first = having.first {
                return try spread(from: first, step: step, work, model, group)
            }
        }
        take(try work.share(in: group, step: step), step: step, work, model)
    }

    private mutating func take(
        _ values: [[Double]], step: Int, _ work: any SharedWork, _ model: TrainedModel
    ) {
        work.take(values)
        model.workedStep = step
        kept = (step, values)
    }

    /// The ranks that have taken a step's values.
    private func ranks(
        having isTaken: Bool, step: Int, _ group: ProcessGroup
    ) throws -> [Int] {
        var flags = [UInt8](repeating: 0, count: group.worldSize)
        try [UInt8(isTaken ? 1 : 0)].withUnsafeBytes { contribution in
            try flags.withUnsafeMutableBytes { output in
                try group.allGather(
                    step: UInt64(step), contribution: contribution,
                    byteCounts: [Int](repeating: 1, count: group.worldSize), output: output)
            }
        }
        return flags.indices.filter { flags[$0] == 1 }
    }

    /// The values that the rank `root` has kept, for those who lack them.
    private mutating func spread(
        from root: Int, step: Int, _ work: any SharedWork, _ model: TrainedModel,
        _ group: ProcessGroup
    ) throws {
        let width = work.valueCount
        var all = [Double](repeating: 0, count: work.partCount * width)
        if group.rank == root {
            guard let kept, kept.step == step else {
                preconditionFailure(
                    "rank \(root) has no values of step \(step), but of \(kept?.step ?? -1)")
            }
            all = kept.values.flatMap { $0 }
        }
        try all.withUnsafeMutableBytes { buffer in
            try group.broadcast(step: UInt64(step), root: root, buffer: buffer)
        }
        guard model.workedStep != step else { return }
        take(
            (0..<work.partCount).map { Array(all[$0 * width..<($0 + 1) * width]) }, step: step,
            work, model)
    }

    /// After a transfer of the whole state: which step's values are in it.
    mutating func receiveWorkedStep(
        of model: TrainedModel, _ group: ProcessGroup, _ assignment: Assignment
    ) throws {
        var worked = [Int64(model.workedStep ?? -1)]
        try worked.withUnsafeMutableBytes { buffer in
            try group.broadcast(
                step: UInt64(assignment.startStep), root: assignment.root, buffer: buffer)
        }
        model.workedStep = worked[0] < 0 ? nil : Int(worked[0])
        if kept?.step != model.workedStep { kept = nil }
    }
}
