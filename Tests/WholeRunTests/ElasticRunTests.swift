import Foundation
import Glibc
import Testing

extension WholeRunTests {
    /// Workers that are started by hand, come and go, and are not all alike.
    @Suite(.serialized) struct Elastic {
        /// A coordinator on this machine that waits for workers.
        private final class Lead {
            let run: TestRun
            let coordinator: RunningProgram
            let address: String

            init(_ run: TestRun, workers: Int) throws {
                self.run = run
                let coordinator = try run.start([
                    "coordinator", run.configuration, "--workers", "\(workers)", "--listen",
                    "127.0.0.1:0", "--output", "\(run.folder)/out",
                ])
                self.coordinator = coordinator
                func announced() -> Substring? {
                    coordinator.errorText.split(separator: "\n")
                        .first { $0.hasPrefix("listening on ") }?
                        .dropFirst("listening on ".count).prefix { $0 != ";" }
                }
                try TestRun.wait("the coordinator's address") { announced() != nil }
                address = String(try #require(announced()))
            }

            var log: String { run.text("out/log.txt") }

            func startWorker(arithmetic: String? = nil) throws -> RunningProgram {
                try run.start(
                    ["worker", "--coordinator", address],
                    environment: arithmetic.map { ["OPENBLAS_CORETYPE": $0] } ?? [:])
            }

            /// Waits until steps were committed by so many workers.
            func waitForSteps(by count: Int) throws {
                try TestRun.wait("steps by \(count) workers") {
                    try #require(!coordinator.hasEnded, "ended before \(count) workers\n\(log)")
                    let metrics = run.text("out/metrics.jsonl").split(separator: "\n")
                    return metrics.last?.contains("\"workers\":\(count)") ?? false
                }
            }

            func expectEnd(model expected: String) throws {
                #expect(try coordinator.end() == .exited(0), "\(coordinator.errorText)")
                #expect(
                    try coordinator.result().text("model_sha256") == expected, "\(log)")
            }
        }

        @Test func growsToFourWorkersAndShrinksToOne() throws {
            let run = try TestRun(
                length: "steps: 16000",
                extra:
                    "evaluation: { everyEpochs: 1000000 }, checkpoint: { everyEpochs: 1000000 }, ")
            let expected = try run.train("whole", workers: 1).text("model_sha256")
            let lead = try Lead(run, workers: 1)
            var workers = [try lead.startWorker()]
            try lead.waitForSteps(by: 1)
            for count in 2...4 {
                workers.append(try lead.startWorker())
                try lead.waitForSteps(by: count)
            }
            // The first goes first: who was there from the beginning is not needed either.
            for (index, worker) in workers.dropLast().enumerated() {
                worker.signal(SIGTERM)
                #expect(try worker.end() == .exited(0), "\(worker.errorText)")
                try lead.waitForSteps(by: 3 - index)
            }
            try lead.expectEnd(model: expected)
            #expect(try workers[3].end() == .exited(0), "\(workers[3].errorText)")
            #expect(!lead.log.contains(" lost worker ") && !lead.log.contains(" computed again"))
            #expect(run.processes() == [])
        }

        private static let runsHaswell =
            (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains(" avx2 ")
            ?? false

        /// OpenBLAS rounds otherwise on each of them; the run has one level that all can run.
        @Test(.enabled(if: runsHaswell, "this processor cannot run Haswell's kernels"))
        func unlikeProcessorsTrainTogether() throws {
            let run = try TestRun()
            func undisturbed(_ arithmetic: String) throws -> String {
                let program = try run.start(
                    [
                        "train", run.configuration, "--workers", "3", "--output",
                        "\(run.folder)/\(arithmetic)",
                    ], environment: ["OPENBLAS_CORETYPE": arithmetic])
                #expect(try program.end() == .exited(0), "\(program.errorText)")
                return try program.result().text("model_sha256")
            }
            let expected = try undisturbed("Haswell")
            #expect(try undisturbed("Nehalem") != expected, "the levels give the same bits")
            let lead = try Lead(run, workers: 3)
            let workers = try ["Zen", "Haswell", "Sandybridge"].map {
                try lead.startWorker(arithmetic: $0)
            }
            try lead.expectEnd(model: expected)
            for worker in workers {
                #expect(try worker.end() == .exited(0), "\(worker.errorText)")
                #expect(worker.errorText.contains("; OpenBLAS Haswell, 1 thread"))
            }
            #expect(lead.log.contains("; OpenBLAS Haswell, 1 thread per worker"))
            #expect(run.processes() == [])
        }
    }
}
