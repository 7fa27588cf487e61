// Writes ledger.jsonl beside the run. Each committed step stands in it once and in order: what is
// computed again after the return to a checkpoint is cut off first, and so is a line that a crash
// has torn.
//
// A generation's line is written when it opens. Reports of steps come some time after the steps,
// and after the loss of the worker that sends them only when the next generation is open: a step
// belongs to the last generation that began before it, whichever lines have come since.

import RunFolders
import Foundation
import Rendezvous
import WireFormat

/// The ledger of a run that is under way. One user.
package final class LedgerFile {
    private let folder: RunFolder
    private let file: FileHandle
    /// The last step in the file.
    private var lastStep = 0
    /// The generation of the last step and those after it, in order.
    private var generations: [LedgerGeneration] = []

    /// Opens the file and keeps its steps up to `startStep`.
    ///
    /// - Parameter generation: the open one, of a coordinator whose place this one takes.
    package init(
        folder: RunFolder, startStep: Int, generation: LedgerGeneration? = nil
    ) throws(RunFolderError) {
        self.folder = folder
        let path = folder.ledgerPath
        do {
            let lines = Self.lines(
                of: FileManager.default.contents(atPath: path), upTo: startStep,
                generationsUpTo: generation?.after ?? startStep - 1)
            let bytes = lines.reduce(into: Data()) { $0 += $1.bytes }
            try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seekToEnd()
            note(lines)
        } catch {
            throw folder.cannotWrite(RunFolder.ledgerName, error)
        }
        if let generation, generation != generations.last { try write([.generation(generation)]) }
    }

    deinit { try? file.close() }

    /// A generation has been opened, or its deal has changed; its steps follow.
    package func open(_ generation: GenerationDescription) throws(RunFolderError) {
        let line = LedgerGeneration(generation)
        if line.after < lastStep { try rewind(to: line.after) }
        try write([.generation(line)])
    }

    /// Steps that were committed, in order.
    package func append(_ reports: [StepReport]) throws(RunFolderError) {
        var lines: [LedgerLine] = []
        for report in reports where report.step > (lines.last?.step ?? lastStep) {
            let generation = generations.last { $0.after < report.step }
            lines.append(
                .step(
                    LedgerStep(
                        step: report.step, epoch: report.epoch, first: report.firstPosition,
                        count: report.usedCount, generation: generation?.generation ?? 0)))
        }
        try write(lines)
    }

    private func write(_ lines: [LedgerLine]) throws(RunFolderError) {
        do {
            try file.write(contentsOf: lines.reduce(into: Data()) { $0 += $1.bytes })
        } catch {
            throw folder.cannotWrite(RunFolder.ledgerName, error)
        }
        note(lines)
    }

    /// Remembers what later steps need of lines that are in the file.
    private func note(_ lines: [LedgerLine]) {
        for line in lines {
            switch line {
            case .generation(let generation): generations.insertInOrder(generation)
            case .step(let step): lastStep = step.step
            }
        }
        if let own = generations.lastIndex(where: { $0.after < lastStep }) {
            generations.removeFirst(own)
        }
    }

    /// Cuts off what follows a step: it will be computed again.
    private func rewind(to step: Int) throws(RunFolderError) {
        do {
            let lines = Self.lines(
                of: FileManager.default.contents(atPath: folder.ledgerPath), upTo: step,
                generationsUpTo: step - 1)
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: lines.reduce(into: Data()) { $0 += $1.bytes })
            lastStep = 0
            generations = []
            note(lines)
        } catch {
            throw folder.cannotWrite(RunFolder.ledgerName, error)
        }
    }

    /// The lines of a ledger up to a step, and of generations that begin after `lastStart` at most.
    private static func lines(
        of bytes: Data?, upTo step: Int, generationsUpTo lastStart: Int
    ) -> [LedgerLine] {
        guard step > 0 || lastStart >= 0, let bytes else { return [] }
        var lines: [LedgerLine] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")),
            let line = LedgerLine(bytes[start..<end])
        {
            switch line {
            case .step(let read): if read.step <= step { lines.append(line) }
            case .generation(let read): if read.after <= lastStart { lines.append(line) }
            }
            start = end + 1
        }
        return lines
    }
}

extension LedgerLine {
    fileprivate var step: Int? {
        if case .step(let step) = self { step.step } else { nil }
    }
}

extension [LedgerGeneration] {
    /// Lines stand in the order of their first steps; the line of a deal whose steps were reported
    /// late comes behind that of the generation which followed.
    mutating func insertInOrder(_ generation: LedgerGeneration) {
        let next = firstIndex { $0.after > generation.after } ?? endIndex
        insert(generation, at: next)
    }
}

extension LedgerGeneration {
    init(_ generation: GenerationDescription) {
        self.init(
            generation: generation.number, after: generation.startStep,
            workers: zip(generation.workers, generation.deal.ranges).map { worker, replicas in
                Worker(
                    host: worker.hostName, pid: worker.processID, slot: worker.slot,
                    first: replicas.lowerBound, count: replicas.count)
            })
    }

    init(_ journal: MembershipJournal) {
        self.init(
            generation: journal.generation, after: journal.startStep,
            workers: zip(journal.members, journal.deal.ranges).map { worker, replicas in
                Worker(
                    host: worker.hostName, pid: worker.processID, slot: worker.slot,
                    first: replicas.lowerBound, count: replicas.count)
            })
    }
}
