// What a run's coordinator leaves in its folder and says, with a worker that only speaks.

import Checkpoints
import Datasets
import Foundation
import Configuration
import Learning
import RunFolders
import Testing
import Training
import WireFormat

@Suite struct CoordinatorRunTests {
    private func failure(_ run: LedRun) throws -> String {
        guard case .failed(let code, let message) = try run.end().end else { return "no failure" }
        return "\(code.rawValue): \(message)"
    }

    @Test(arguments: [1, 2])
    func aFolderMadeForARunThatNeverBeganIsRemoved(workers: Int) throws {
        let fixture = try RunFixture()
        let run = try LedRun(fixture, try fixture.configuration(), workers: workers)
        // With two workers the other one has not joined yet.
        let client = try run.join()
        #expect(fixture.exists("out/config.json"))
        client.sendFailure(exitCode: .data, message: "x.gz: damaged")
        #expect(try failure(run) == "3: worker 0 (host host0, pid 100) failed: x.gz: damaged")
        #expect(!fixture.exists("out"))
    }

    @Test func aFolderThatWasThereStaysAndIsEmptied() throws {
        let fixture = try RunFixture()
        try FileManager.default.createDirectory(
            atPath: fixture.folder.path, withIntermediateDirectories: true)
        let run = try LedRun(fixture, try fixture.configuration())
        try run.join().sendFailure(exitCode: .data, message: "damaged")
        #expect(try failure(run).hasPrefix("3: "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path) == [])
    }

    @Test func aRunThatHasBegunKeepsItsFolder() throws {
        let fixture = try RunFixture()
        let run = try LedRun(fixture, try fixture.configuration())
        let client = try run.join()
        let generation = try client.awaitAssignment(deadline: .after(patience)).generation
        try client.send(.ready(ReadyReport(generation: generation, step: 0, weightsDigest: "a")))
        try client.send(.steps(StepReports(reports: [stepReport(1)])))
        client.sendFailure(exitCode: .data, message: "damaged")
        #expect(try failure(run).hasPrefix("3: "))
        #expect(try fixture.text("out/metrics.jsonl").contains("\"step\":1"))
    }

    @Test func whoComesLaterIsShownAndWhoBeganIsInTheGeneration() throws {
        let fixture = try RunFixture()
        let run = try LedRun(fixture, try fixture.configuration())
        let first = try run.join(slot: 0)
        let generation = try first.awaitAssignment(deadline: .after(patience)).generation
        try first.send(
            .ready(ReadyReport(generation: generation, step: 0, weightsDigest: "a")))
        try first.send(.steps(StepReports(reports: [stepReport(1)])))
        let late = try run.join(slot: 1)
        first.sendFailure(exitCode: .usage, message: "no")
        let screen = try run.end().screen
        #expect(screen.contains("worker 1 joined: process 101 on host1"))
        #expect(!screen.contains("worker 0 joined"), "the generation says it")
        #expect(screen.contains("generation 1: 1 worker on host0"))
        #expect(try fixture.text("out/log.txt").contains("worker 0 joined: process 100 on host0"))
        withExtendedLifetime(late) {}
    }

    @Test func aLogThatCannotBeWrittenStopsTheRunAndSavesIt() throws {
        let fixture = try RunFixture()
        let configuration = try fixture.configuration()
        try fixture.folder.prepare(.begin, taskFiles: [])
        try FileManager.default.createSymbolicLink(
            atPath: fixture.folder.logPath, withDestinationPath: "/dev/full")
        let recorder = try fixture.recorder(configuration)
        let expected = RunFolderError(
            path: fixture.folder.path,
            problem: .cannotWrite(file: "log.txt", reason: "No space left on device"))
        recorder.log("a line")
        #expect(recorder.writeFailure == expected)
        #expect(throws: expected) { try recorder.stepsReported([stepReport(1)]) }
        try recorder.checkpointReceived(
            step: 1, isFinal: false, files: [("state", Data([1, 2, 3]))])
        #expect(recorder.lastCheckpointStep == 1)
        #expect(fixture.exists("out/checkpoints/\(CheckpointStore.folderName(1))/state"))
    }

    @Test func aLogThatIsAFolderIsNamed() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        try FileManager.default.createDirectory(
            atPath: fixture.folder.logPath, withIntermediateDirectories: true)
        let error = #expect(throws: RunFolderError.self) {
            try fixture.recorder(try fixture.configuration())
        }
        #expect(error?.description.hasPrefix("cannot write \(fixture.folder.logPath): ") == true)
        #expect(error?.description.contains("Domain") == false)
    }

    @Test func aFileInTheWayOfTheFolderIsNamed() throws {
        let fixture = try RunFixture()
        let folder = RunFolder(path: "\(fixture.path)/train-images/out")
        #expect(
            throws: RunFolderError(
                path: folder.path,
                problem: .cannotCreate(reason: "\(fixture.path)/train-images is a file"))
        ) { try folder.prepare(.begin, taskFiles: []) }
    }

    @Test func evaluationLinesHaveLossAndSpeed() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        let recorder = try fixture.recorder(try fixture.configuration())
        try recorder.evaluationReported(
            EvaluationReport(
                step: 2, epoch: 1, sampleCount: 8, figures: [0.75, 0.5], seconds: 0.5))
        let line = try JSONDecoder().decode(
            [String: Double].self, from: Data(try fixture.text("out/metrics.jsonl").utf8))
        #expect(
            line == [
                "step": 2, "epoch": 1, "loss": 0.5, "test_loss": 0.5, "test_accuracy": 0.75,
                "seconds": 0.5, "samples_per_s": 16, "workers": 0, "generation": 0,
            ])
    }

    @Test func stepsHaveTheMeanByWeightAndTheNorm() throws {
        let fixture = try RunFixture()
        try fixture.folder.prepare(.begin, taskFiles: [])
        let recorder = try fixture.recorder(try fixture.configuration())
        try recorder.stepsReported([
            StepReport(
                step: 1, epoch: 1, lossSum: 3, sampleCount: 8, lossWeight: 1.5, sums: [2],
                seconds: 0.5, learningRate: 0.1, gradientNorm: 0.25)
        ])
        let line = try JSONDecoder().decode(
            [String: Double].self, from: Data(try fixture.text("out/metrics.jsonl").utf8))
        #expect(line["loss"] == 2)
        #expect(line["accuracy"] == 0.25)
        #expect(line["gradient_norm"] == 0.25)
    }

    @Test func groupsThatMatchNothingAreRefusedBeforeTheRun() throws {
        let fixture = try RunFixture()
        func words(_ groups: String) -> String? {
            let error = #expect(throws: ParameterGroupError.self) {
                try LedRun(fixture, try fixture.configuration("optimizer.groups=\(groups)"))
            }
            return error?.description
        }
        #expect(
            words("[{match:'*'},{match:'output.bias'}]")
                == "\"optimizer.groups.1.match\": all parameters that match \"output.bias\" are in "
                + "groups before it")
        #expect(
            words("[{match:'outputs'}]")
                == "\"optimizer.groups.0.match\": no parameter matches \"outputs\"; the parameters "
                + "are output.weight, output.bias")
        #expect(!fixture.exists("out"))
    }

    @Test(arguments: [
        ("data.trainSamples=17", "train-images: holds 16 samples, but data.trainSamples"),
        ("data.testSamples=9", "t10k-images: holds 8 samples, but data.testSamples"),
    ])
    func moreSamplesThanThereAreAreRefusedBeforeTheRun(override: String, words: String) throws {
        let fixture = try RunFixture()
        let error = #expect(throws: DataError.self) {
            try LedRun(fixture, try fixture.configuration(override))
        }
        #expect(error?.description.contains(words) == true)
        #expect(!fixture.exists("out"))
        let all = try fixture.configuration("data.trainSamples=16", "data.testSamples=8")
        #expect(try RunPreflight(all, workerCount: 1).samples.contains("8 test images"))
    }
}
