import Foundation
import Glibc
import Testing

extension WholeRunTests {
    /// What can be learnt of a run from outside: how it goes, what it used, and whether it stands
    /// chaos.
    @Suite struct ObservationTests {
        private func object(_ program: RunningProgram) throws -> [String: Any] {
            let read = try JSONSerialization.jsonObject(with: Data(program.outputText.utf8))
            return try #require(read as? [String: Any])
        }

        @Test func aRunTellsHowItGoes() throws {
            let run = try TestRun(length: "steps: 100000")
            let out = "\(run.folder)/out"
            let training = try run.start([
                "train", run.configuration, "--workers", "2", "--output", out,
            ])
            try run.waitForSteps(in: "out")
            let asked = try run.run("status", out, "--json")
            #expect(asked.errorText == "")
            let status = try object(asked)
            #expect(try status.text("run") == "tiny" && status.text("state") == "running")
            #expect(try status.number("totalSteps") == 100_000)
            let workers = try #require(status["workers"] as? [[String: Any]])
            #expect(workers.count == 2)
            for (slot, worker) in workers.enumerated() {
                #expect(try pid_t(worker.number("pid")) == run.worker(slot))
                #expect(try worker.number("replicaCount") == 2)
            }
            let place = try #require(
                try JSONSerialization.jsonObject(with: Data(run.text("out/coordinator.json").utf8))
                    as? [String: Any])
            let table = try run.run("status", place.text("address"))
            let lines = table.outputText.split(separator: "\n")
            #expect(lines.count == 4)
            #expect(lines[0].hasPrefix("run tiny: running, generation 1, step "))
            #expect(lines[1].hasPrefix("worker  rank  host"))
            #expect(lines[2].contains("0-1") && lines[3].contains("2-3"))

            let audit = try run.run("audit", out)
            #expect(try audit.end() == .exited(0))
            #expect(audit.outputText.contains("audit: clean; "))

            training.signal(SIGINT)
            #expect(try training.end() == .exited(130))
            #expect(!FileManager.default.fileExists(atPath: "\(out)/coordinator.json"))
            let late = try run.run("status", out)
            #expect(try late.end() == .exited(1))
            #expect(late.errors.count == 1)
            #expect(late.errors[0].hasPrefix("no run is under way in \(out)"))
        }

        @Test func aResumedRunIsAuditedAsOne() throws {
            let run = try TestRun(length: "epochs: 3")
            let out = "\(run.folder)/out"
            _ = try run.train("out", workers: 3, "--steps", "8", "--set", "checkpoint.everySteps=5")
            _ = try run.train("out", workers: 2, "--resume", "--steps", "15")
            let audit = try run.run("audit", out, "--json")
            #expect(try audit.end() == .exited(0), "\(audit.errorText)\(audit.outputText)")
            let report = try object(audit)
            #expect(try report.number("steps") == 15 && report.number("faultCount") == 0)
            #expect(try report.number("generations") == 2 && report.number("workers") == 5)

            // One step less, and it is found.
            let lines = run.text("out/ledger.jsonl").split(separator: "\n")
            let damaged = lines.filter { !$0.hasPrefix("{\"step\":7,") }
            #expect(damaged.count == lines.count - 1)
            try run.write(damaged.joined(separator: "\n") + "\n", to: "out/ledger.jsonl")
            let found = try run.run("audit", out)
            #expect(try found.end() == .exited(1))
            #expect(found.outputText.contains("fault: step 7 is missing"))
            #expect(found.outputText.contains("samples were not used"))
        }

        @Test(arguments: [
            "data: { format: \"text\", path: \"PATH\", context: 8 }, epochs: 1,",
            "data: { format: \"text\", path: \"PATH\", context: 8, windows: \"random\" }, steps: 9,",
        ])
        func textIsAuditedByItsWindows(_ data: String) throws {
            let run = try TestRun()
            try run.write(
                String(repeating: "each sample of each epoch, ", count: 40), to: "text.txt")
            let path = "\(run.folder)/text.txt"
            try run.write(
                """
                { replicas: 3, batchSize: 2, \(data.replacingOccurrences(of: "PATH", with: path))
                  model: { layers: [ { type: "embedding", width: 8 },
                                     { type: "linear", outputFeatures: "outputs" } ] },
                  optimizer: { type: "adam", learningRate: 0.02 } }
                """)
            _ = try run.train("out", workers: 2)
            let audit = try run.run("audit", "\(run.folder)/out")
            #expect(try audit.end() == .exited(0), "\(audit.errorText)\(audit.outputText)")
        }

        @Test func aStallHasAName() throws {
            let run = try TestRun(length: "steps: 100000")
            let training = try run.start([
                "train", run.configuration, "--workers", "2", "--output", "\(run.folder)/out",
                "--set", "communication.silenceSeconds=300",
            ])
            try run.waitForSteps(in: "out")
            let worker = try #require(run.worker(1))
            kill(worker, SIGSTOP)
            try TestRun.wait("a line about the stall", seconds: 120) {
                run.text("out/log.txt").contains("no step for")
            }
            kill(worker, SIGCONT)
            let lines = run.text("out/log.txt").split(separator: "\n")
            let line = try #require(lines.first { $0.contains("no step for") })
            #expect(line.contains(": worker 1 (host "), "\(line)")
            #expect(line.contains("pid \(worker)"), "\(line)")
            #expect(line.hasSuffix("s: stopped"), "\(line)")
            training.signal(SIGINT)
            #expect(try training.end() == .exited(130))
        }

        @Test func aWorkerThatFailsTellsWhatItDid() throws {
            let run = try TestRun(length: "steps: 400")
            // The rate makes the loss no number within a few steps.
            let training = try run.run(
                "train", run.configuration, "--workers", "1", "--output", "\(run.folder)/out",
                "--set", "optimizer.learningRate=1e30")
            #expect(try training.end() != .exited(0))
            let log = run.text("out/workers/worker-0.log").split(separator: "\n")
            let trail = log.filter { $0.hasPrefix("rondo: before: -") }
            #expect(trail.contains { $0.contains(" s compute, step ") })
            #expect(trail.contains { $0.contains("in the ring of generation 1") })
            #expect(log.last?.hasPrefix("rondo: error: ") == true)
            #expect(!training.errorText.contains("before: "))
        }

        @Test func chaosEndsInTheSameModel() throws {
            let run = try TestRun(length: "steps: 6000")
            let chaos = try run.start([
                "chaos", run.configuration, "--workers", "2", "--kill", "3", "--seed", "4",
                "--events", "kill,leave,reset", "--output", "\(run.folder)/chaos",
                "--set", "evaluation.everyEpochs=0", "--set", "checkpoint.everyEpochs=0",
            ])
            #expect(try chaos.end(seconds: 300) == .exited(0), "\(chaos.errorText)")
            let result = try chaos.result()
            #expect(try result.text("model_sha256") == result.text("reference_sha256"))
            #expect((result["events"] as? [Any])?.count == 3)
            #expect((result["missed"] as? [Any])?.isEmpty == true)
            #expect(try result.text("audit").hasPrefix("clean; "))
            #expect(run.processes() == [])
        }

        @Test func interruptedChaosLeavesNoProcess() throws {
            let run = try TestRun(length: "steps: 100000")
            let chaos = try run.start([
                "chaos", run.configuration, "--workers", "2", "--reference", "none",
                "--events", "stop", "--kill", "1000", "--output", "\(run.folder)/chaos",
            ])
            // A worker is stopped when the interrupt comes.
            try TestRun.wait("a stopped worker", seconds: 120) {
                run.processes().contains { process in
                    let status = try? String(
                        contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
                    return status?.contains("State:\tT") ?? false
                }
            }
            chaos.signal(SIGINT)
            #expect(try chaos.end() == .exited(130), "\(chaos.errorText)")
            #expect(run.processes() == [])
        }

        @Test func killedChaosLeavesNoProcess() throws {
            let run = try TestRun(length: "steps: 100000")
            let chaos = try run.start([
                "chaos", run.configuration, "--workers", "2", "--reference", "none",
                "--output", "\(run.folder)/chaos",
            ])
            try run.waitForSteps(in: "chaos/disturbed")
            chaos.signal(SIGKILL)
            _ = try chaos.end()
            try TestRun.wait("the end of all processes") { run.processes().isEmpty }
        }
    }
}
