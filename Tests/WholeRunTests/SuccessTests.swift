import Foundation
import Testing

extension WholeRunTests {
    @Suite(.serialized) struct Success {
        @Test func resultLineAndFolder() throws {
            let run = try TestRun()
            let result = try run.train("out", workers: 2)
            #expect(try result.number("steps") == 12)
            #expect(try result.number("epochs") == 2)
            #expect(try result.number("workers") == 2)
            #expect(try result.number("seconds") > 0)
            #expect(try result.text("output") == "\(run.folder)/out")
            let accuracy = try result.number("test_accuracy")
            #expect((0...1).contains(accuracy))
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(run.folder)/out")
            #expect(
                files.sorted() == [
                    "checkpoints", "config.json", "data.json", "ledger.jsonl", "log.txt",
                    "metrics.jsonl", "model.safetensors", "workers",
                ])
            let checkpoints = try FileManager.default.contentsOfDirectory(
                atPath: "\(run.folder)/out/checkpoints")
            #expect(checkpoints.sorted() == ["step-00000006", "step-00000012"])
            let metrics = run.text("out/metrics.jsonl").split(separator: "\n")
            #expect(metrics.count == 14)
            for line in metrics {
                #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
            }
            #expect(run.processes() == [])
        }

        @Test func evaluateInspectAndPredictAgreeWithTheRun() throws {
            let run = try TestRun()
            let result = try run.train("out", workers: 1)
            let folder = "\(run.folder)/out"

            let evaluation = try run.run("evaluate", folder)
            #expect(
                try evaluation.result().number("test_accuracy") == result.number("test_accuracy"))

            let inspection = try run.run("inspect", folder)
            #expect(
                inspection.outputText.contains("model_sha256 \(try result.text("model_sha256"))"))
            #expect(inspection.outputText.contains("conv1.weight"))

            let images = try run.run("predict", folder, "\(run.folder)/data/t10k-images-idx3-ubyte")
            #expect(images.outputText.split(separator: "\n").count == 40)
            let row = Array(repeating: "100", count: 144).joined(separator: " ")
            try run.write(row + "\n" + row + "\n", to: "rows.txt")
            let rows = try run.run("predict", folder, "\(run.folder)/rows.txt")
            #expect(rows.outputText.split(separator: "\n").count == 2)
        }

        @Test func sameModelOverAnyTransport() throws {
            let run = try TestRun()
            let digests = try ["auto", "tcp", "shm"].map { transport in
                try run.train(
                    transport, workers: 2, "--set", "communication.transport=\(transport)"
                ).text("model_sha256")
            }
            #expect(Set(digests).count == 1, "\(digests)")
            for (transport, medium) in [
                ("auto", "shared memory"), ("tcp", "TCP"), ("shm", "shared memory"),
            ] {
                let log = run.text("\(transport)/workers/worker-0.log")
                #expect(log.contains("to the next rank over \(medium)"), "\(log)")
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm")
            #expect(left.filter { $0.contains("rondo") } == [])
        }

        @Test func sameModelForAnyNumberOfWorkers() throws {
            let run = try TestRun()
            let digests = try (1...4).map {
                try run.train("out\($0)", workers: $0).text("model_sha256")
            }
            #expect(Set(digests).count == 1, "\(digests)")
            #expect(try run.train("again", workers: 3).text("model_sha256") == digests[0])
        }

        @Test func coordinatorAndWorkersByHandAmongStrangers() throws {
            let run = try TestRun()
            let expected = try run.train("out", workers: 2).text("model_sha256")

            let coordinator = try run.start([
                "coordinator", run.configuration, "--workers", "2", "--listen", "127.0.0.1:0",
                "--output", "\(run.folder)/hand",
            ])
            func port() -> Int? {
                coordinator.errorText.split(separator: "\n")
                    .first { $0.hasPrefix("listening on ") }
                    .flatMap { $0.prefix { $0 != ";" }.split(separator: ":").last }
                    .flatMap { Int($0) }
            }
            try TestRun.wait("the coordinator's address") { port() != nil }
            let address = try #require(port())
            let strangers = try (0..<4).map { kind in
                try Stranger(port: address, bytes: Stranger.greetings[kind])
            }
            let workers = try (0..<2).map { _ in
                try run.start(["worker", "--coordinator", "127.0.0.1:\(address)"])
            }
            #expect(try coordinator.end() == .exited(0), "\(coordinator.errorText)")
            for worker in workers { #expect(try worker.end() == .exited(0), "\(worker.errorText)") }
            #expect(try coordinator.result().text("model_sha256") == expected)
            #expect(strangers.count == 4)
            #expect(run.processes() == [])
        }

        @Test func resumeOfFinishedRunGoesOnToMoreSteps() throws {
            let run = try TestRun(length: "steps: 18")
            let whole = try run.train("whole", workers: 2).text("model_sha256")
            let first = try run.train("parts", workers: 1, "--steps", "6").text("model_sha256")
            #expect(first != whole)
            #expect(
                try run.train("parts", workers: 3, "--resume").text("model_sha256") == whole)
            let complete = try run.train("parts", workers: 2, "--resume")
            #expect(try complete.text("model_sha256") == whole)
            #expect((0...1).contains(try complete.number("test_accuracy")))
            // Each step stands in the metrics once.
            let metrics = run.text("parts/metrics.jsonl").split(separator: "\n")
            #expect(metrics.filter { $0.contains("\"accuracy\"") }.count == 18)
        }
    }
}
