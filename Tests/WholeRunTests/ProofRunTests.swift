import Foundation
import Launching
import Testing

extension WholeRunTests {
    /// Tasks that need of the core what no shipped task needs: one model for any number of workers,
    /// through kills, a stop and a resume.
    @Suite(.serialized) struct Proofs {
        private static let program = URL(fileURLWithPath: TestRun.executable)
            .deletingLastPathComponent().appendingPathComponent("ProofTasks").path

        private static let tasks = [
            "rivalNetworks", "replayedState", "rollout", "paddedSequences", "frozenHalf",
            "twoLosses", "sparseRows",
        ]

        private func configuration(_ task: String) -> String {
            """
            {
              task: "\(task)", data: { format: "counters" }, seed: 3, replicas: 4, batchSize: 4,
              steps: 400, optimizer: { type: "adam", learningRate: 0.01 },
              evaluation: { everyEpochs: 5 }, checkpoint: { everyEpochs: 0, everySteps: 100 },
            }
            """
        }

        private func run(_ run: TestRun, _ arguments: [String]) throws -> [String: Any] {
            let program = try RunningProgram(Self.program, arguments, folder: run.folder)
            try #require(try program.end() == .exited(0), "\(program.errorText)")
            return try program.result()
        }

        private func train(
            _ run: TestRun, _ name: String, workers: Int, _ more: String...
        ) throws -> [String: Any] {
            try self.run(
                run,
                [
                    "train", run.configuration, "--workers", "\(workers)", "--output",
                    "\(run.folder)/\(name)",
                ] + more)
        }

        @Test(arguments: tasks) func oneModelForAnyNumberOfWorkersAndThroughAResume(
            task: String
        ) throws {
            let run = try TestRun()
            try run.write(configuration(task))
            var digests: [String] = []
            for workers in 1...4 {
                let result = try train(run, "n\(workers)", workers: workers)
                digests.append(try result.text("model_sha256"))
            }
            _ = try train(run, "stopped", workers: 3, "--steps", "150")
            let resumed = try train(run, "stopped", workers: 2, "--resume")
            digests.append(try resumed.text("model_sha256"))
            #expect(Set(digests).count == 1, "\(task): \(digests)")
            let begun = try train(run, "begun", workers: 1, "--steps", "1")
            #expect(try begun.text("model_sha256") != digests[0], "it learns")
        }

        @Test(arguments: tasks) func oneModelThroughKills(task: String) throws {
            let run = try TestRun()
            try run.write(configuration(task))
            let result = try self.run(
                run,
                [
                    "chaos", run.configuration, "--workers", "3", "--kill", "3", "--seed", "5",
                    "--steps", "3000", "--set", "evaluation.everyEpochs=1000", "--output",
                    "\(run.folder)/chaos",
                ])
            #expect(
                try result.text("model_sha256") == result.text("reference_sha256"), "\(result)")
        }
    }
}
