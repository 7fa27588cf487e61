import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    /// Runs that are ended from outside. They would train for hours.
    @Suite(.serialized) struct Ending {
        private func longRun() throws -> TestRun {
            try TestRun(length: "steps: 1000000", extra: "evaluation: { everyEpochs: 1000000 }, ")
        }

        private func start(_ run: TestRun, workers: Int) throws -> RunningProgram {
            let program = try run.start([
                "train", run.configuration, "--workers", "\(workers)", "--output",
                "\(run.folder)/out", "--set", "checkpoint.everyEpochs=1000000",
            ])
            try run.waitForSteps(in: "out")
            return program
        }

        @Test func killedParentLeavesNoProcess() throws {
            let run = try longRun()
            let program = try start(run, workers: 2)
            #expect(run.processes().count == 4)
            program.signal(SIGKILL)
            #expect(try program.end() == .signalled(SIGKILL))
            try TestRun.wait("the children's end", seconds: 5) { run.processes().isEmpty }
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func interruptedRunResumesToTheSameModel(signal: Int32) throws {
            // As long as it takes for the signal to come in the middle, far from the last step.
            let steps = 3000
            let run = try TestRun(
                length: "steps: \(steps)", extra: "evaluation: { everyEpochs: 1000000 }, ")
            let whole = try run.train(
                "whole", workers: 2, "--set", "checkpoint.everyEpochs=1000000"
            ).text("model_sha256")
            let program = try start(run, workers: 2)
            program.signal(signal)
            // A terminal that closes, or timeout(1), says the same thing twice in a moment.
            program.signal(SIGHUP)
            #expect(try program.end() == .exited(130), "\(program.errorText)")
            #expect(program.errorText.contains("interrupted: saved after step "))
            #expect(program.errorText.contains("go on with: rondo train "))
            #expect(program.errorText.contains(" --resume"))
            #expect(program.outputText == "")
            #expect(run.processes() == [])
            let resumed = try run.train("out", workers: 3, "--resume")
            #expect(try resumed.text("model_sha256") == whole)
            #expect(try resumed.number("steps") == Double(steps))
        }

        @Test func strangersAtTheWorkersPortsDoNotDisturb() throws {
            let run = try TestRun(
                length: "steps: 3000", extra: "evaluation: { everyEpochs: 1000000 }, ")
            let expected = try run.train("whole", workers: 1).text("model_sha256")
            let program = try start(run, workers: 3)
            let ports = try (0..<3).flatMap { slot in
                try TestRun.listeningPorts(of: try #require(run.worker(slot)))
            }
            #expect(ports.count >= 3, "each worker has a port: \(ports)")
            let strangers = try ports.flatMap { port in
                try Stranger.greetings.map { try Stranger(port: port, bytes: $0) }
            }
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            #expect(try program.result().text("model_sha256") == expected)
            withExtendedLifetime(strangers) {}
        }

        @Test func secondInterruptEndsAtOnce() throws {
            let run = try longRun()
            let program = try start(run, workers: 2)
            // A worker that is stopped never reaches the end of its step.
            kill(try #require(run.worker(0)), SIGSTOP)
            program.signal(SIGINT)
            try TestRun.wait("the stop in the log") {
                run.text("out/log.txt").contains("interrupted")
            }
            try TestRun.wait("the end at an interrupt that is no echo") {
                program.signal(SIGINT)
                return program.hasEnded
            }
            #expect(try program.end() == .exited(130))
            #expect(program.errors == [])
            #expect(run.processes() == [])
        }

        @Test func interruptedCoordinatorSavesAndIsNoFailure() throws {
            let run = try longRun()
            let program = try start(run, workers: 2)
            let coordinator = try #require(
                run.processes().first {
                    TestRun.arguments(of: $0).dropFirst().first == "coordinator"
                }
            )
            kill(coordinator, SIGTERM)
            #expect(try program.end() == .exited(130))
            #expect(program.errors == [])
            #expect(program.errorText.contains("interrupted: saved after step "))
            #expect(program.errorText.contains("go on with: rondo train "))
        }

        @Test func divergenceIsSaidOnceByTheWorkerThatSawIt() throws {
            let run = try longRun()
            let program = try run.start([
                "train", run.configuration, "--workers", "3", "--output", "\(run.folder)/out",
                "--set", "optimizer.learningRate=1e30",
            ])
            #expect(try program.end() == .exited(1), "\(program.errorText)")
            #expect(program.errors.count == 1)
            #expect(program.errors.first?.hasPrefix("worker ") == true, "\(program.errorText)")
            #expect(program.errors.first?.contains("failed: the loss became") == true)
            #expect(run.processes() == [])
        }

        @Test func lastWorkerToLeaveAHandmadeRunSavesIt() throws {
            let run = try longRun()
            let coordinator = try run.start([
                "coordinator", run.configuration, "--workers", "1", "--output",
                "\(run.folder)/out",
            ])
            func address() -> String? {
                coordinator.errorText.split(separator: " ").last.map {
                    $0.trimmingCharacters(in: .whitespacesAndNewlines)
                }
            }
            try TestRun.wait("the coordinator's address") {
                coordinator.errorText.contains("--coordinator 127.0.0.1:")
            }
            let worker = try run.start(["worker", "--coordinator", try #require(address())])
            try run.waitForSteps(in: "out")
            worker.signal(SIGINT)
            // Nobody is left who could go on: the state is saved as after an interrupted run.
            #expect(try coordinator.end() == .exited(130), "\(coordinator.errorText)")
            #expect(try worker.end() == .exited(0), "\(worker.errorText)")
            #expect(coordinator.errors == [])
            #expect(coordinator.errorText.contains("saved after step "))
            #expect(run.processes() == [])
        }
    }
}
