// What it takes to watch a run: an observer of one's own beside the files and the screen, and what
// happens to the others when one cannot write.

import Checkpoints
import Foundation
import RunFolders
import Rendezvous
import Testing
import Training
import WireFormat

/// Writes down what it hears, without the lines of the log unless they are wanted.
private final class Witness: RunObserver {
    private(set) var events: [String] = []
    private(set) var lines: [String] = []
    let outlivesWriteFailure: Bool

    init(outlivesWriteFailure: Bool = false) { self.outlivesWriteFailure = outlivesWriteFailure }

    func workerJoined(_ worker: WorkerDescription) { events.append("joined \(worker.slot)") }
    func workerLost(_ worker: WorkerDescription) { events.append("lost \(worker.slot)") }
    func wentBack(toStep step: Int) { events.append("back to \(step)") }
    func generationOpened(_ generation: GenerationDescription) {
        events.append("opened \(generation.number)")
    }
    func generationRunning(_ generation: GenerationDescription, pause: Duration?) {
        events.append("running \(generation.number)")
    }
    func dealChanged(_ generation: GenerationDescription) {
        events.append("deal after \(generation.startStep)")
    }
    func journalChanged(_ journal: MembershipJournal) {
        events.append("journal of \(journal.generation)")
    }
    func stepsReported(_ reports: [StepReport]) {
        events.append("steps \(reports.map(\.step))")
    }
    func evaluationReported(_ report: EvaluationReport) {
        events.append("evaluation of \(report.step)")
    }
    func checkpointStored(step: Int, path: String) { events.append("checkpoint of \(step)") }
    func logged(_ line: String, isDetail: Bool) { lines.append((isDetail ? "- " : "") + line) }
    func runEnding() { events.append("ending") }
}

/// Cannot write steps.
private final class FullDisk: RunObserver {
    let failure: RunFolderError
    private(set) var attempts = 0

    init(_ folder: RunFolder) {
        failure = RunFolderError(
            path: folder.path, problem: .cannotWrite(file: "page.html", reason: "no space"))
    }

    func stepsReported(_ reports: [StepReport]) throws(RunFolderError) {
        attempts += 1
        throw failure
    }
}

@Suite struct RunObserverTests {
    private func generation(
        _ number: UInt32, after step: Int
    ) throws -> GenerationDescription {
        GenerationDescription(
            number: number, deal: try ReplicaDeal(ranges: [0..<1, 1..<2]),
            workers: (0..<2).map {
                WorkerDescription(
                    rank: $0, slot: $0, hostName: "host\($0)", processID: Int32(100 + $0),
                    arithmetic: "Haswell")
            }, startStep: step, arithmetic: "Haswell")
    }

    private func journal() throws -> MembershipJournal {
        MembershipJournal(
            runToken: "t", generation: 2, deal: try ReplicaDeal(ranges: [0..<2]), startStep: 1,
            arithmetic: "Haswell", members: [])
    }

    private let evaluation = EvaluationReport(
        step: 2, epoch: 1, sampleCount: 8, figures: [0.75, 0.5], seconds: 0.5)

    @Test func anObserverHearsOfEachEventInOrder() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        let witness = Witness()
        let recorder = try fixture.recorder(
            try fixture.configuration(), change: { $0.append(witness) })
        let first = try generation(1, after: 0)
        recorder.workerJoined(first.workers[0])
        recorder.generationOpened(first)
        recorder.generationRunning(first, pause: nil)
        try recorder.stepsReported([stepReport(1), stepReport(2)])
        try recorder.evaluationReported(evaluation)
        try recorder.checkpointReceived(step: 1, isFinal: false, files: [("a", Data([1]))])
        recorder.workerLost(first.workers[1])
        let second = try generation(2, after: 1)
        try recorder.journal(try journal())
        recorder.generationOpened(second)
        recorder.generationRunning(second, pause: .seconds(2))
        try recorder.dealChanged(second)
        recorder.log("a line")
        recorder.runIsEnding()
        #expect(
            witness.events == [
                "joined 0", "opened 1", "running 1", "steps [1, 2]", "evaluation of 2",
                "checkpoint of 1", "lost 1", "journal of 2", "back to 1", "opened 2", "running 2",
                "deal after 1", "ending",
            ])
        #expect(
            witness.lines == [
                "- worker 0 joined: process 100 on host0, arithmetic Haswell",
                "- generation 1 opened from step 0, transfer of none",
                "generation 1: 2 workers on host0, host1, replicas 0-0, 1-1, from step 0; "
                    + "OpenBLAS Haswell, 1 thread per worker",
                "- saved \(fixture.folder.checkpointsPath)/\(CheckpointStore.folderName(1))",
                "going back from step 2 to step 1: no worker has a later state",
                "- generation 2 opened from step 1, transfer of none",
                "generation 2: 2 workers on host0, host1, replicas 0-0, 1-1, from step 1; "
                    + "paused for 2.00 s",
                "replicas follow the workers' speed from step 1: worker 0 1, worker 1 1",
                "a line",
            ])
        // The files heard the same: step 2 was cut off.
        let metrics = try fixture.text("out/metrics.jsonl").split(separator: "\n")
        #expect(metrics.count == 1)
        #expect(metrics[0].contains("\"generation\":1,") && metrics[0].contains("\"step\":1,"))
        #expect(metrics[0].contains("\"workers\":2"))
        #expect(!fixture.exists("out/journal.json"))
    }

    @Test func afterAFailureTheFilesHearNothingMore() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        let disk = FullDisk(fixture.folder)
        let (file, screen) = (Witness(), Witness(outlivesWriteFailure: true))
        var shown = ""
        let recorder = try fixture.recorder(
            try fixture.configuration(), write: { shown += $0 },
            change: { $0 = [disk] + $0 + [file, screen] })
        recorder.generationOpened(try generation(1, after: 0))
        let names = ["ledger.jsonl", "metrics.jsonl", "log.txt"]
        let before = try names.map { try fixture.text("out/\($0)") }

        #expect(throws: disk.failure) { try recorder.stepsReported([stepReport(1)]) }
        #expect(throws: disk.failure) { try recorder.stepsReported([stepReport(2)]) }
        #expect(throws: disk.failure) { try recorder.evaluationReported(evaluation) }
        recorder.log("a line")
        #expect(disk.attempts == 1)
        #expect(recorder.writeFailure == disk.failure)
        #expect(try names.map { try fixture.text("out/\($0)") } == before)
        #expect(file.events == ["opened 1"])
        #expect(screen.events == ["opened 1", "steps [1]", "steps [2]", "evaluation of 2"])
        #expect(shown.contains("epoch 1: ") && shown.hasSuffix("a line\n"))

        // A coordinator may still have to take over, and the state may still find room.
        try recorder.journal(try journal())
        #expect(fixture.exists("out/journal.json"))
        try recorder.checkpointReceived(step: 2, isFinal: false, files: [("a", Data([1]))])
        #expect(recorder.lastCheckpointStep == 2)
    }

    @Test func theLedgerIsWrittenBeforeTheMetrics() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        let disk = FullDisk(fixture.folder)
        // Behind the ledger, which hears first.
        let recorder = try fixture.recorder(
            try fixture.configuration(), change: { $0.insert(disk, at: 1) })
        #expect(throws: disk.failure) { try recorder.stepsReported([stepReport(1)]) }
        #expect(try fixture.text("out/ledger.jsonl").contains("\"step\":1"))
        #expect(try fixture.text("out/metrics.jsonl").isEmpty)
    }
}
