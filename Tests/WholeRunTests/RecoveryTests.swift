import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    /// Runs to which something happens in their midst: the model is that of an undisturbed run, the
    /// run ends well, and no process is left.
    @Suite(.serialized) struct Recovery {
        /// Long enough for several events, with checkpoints on the way.
        private static let length = "steps: 6000"
        private static let extra =
            "evaluation: { everyEpochs: 1000000 }, checkpoint: { everyEpochs: 0, everySteps: 500 }, "

        private static let undisturbed = Result {
            try TestRun(length: length, extra: extra).train("whole", workers: 1)
                .text("model_sha256")
        }

        /// A run in its midst.
        private final class Midst {
            let run: TestRun
            let program: RunningProgram

            init(workers: Int) throws {
                run = try TestRun(length: Recovery.length, extra: Recovery.extra)
                program = try run.start([
                    "train", run.configuration, "--workers", "\(workers)", "--output",
                    "\(run.folder)/out",
                ])
                try run.waitForSteps(in: "out")
            }

            var log: String { run.text("out/log.txt") }

            func coordinator() throws -> pid_t {
                try #require(
                    run.processes().first {
                        TestRun.arguments(of: $0).dropFirst().first == "coordinator"
                    })
            }

            /// Sends a signal to the process that is in a worker's place now.
            @discardableResult
            func signal(_ number: Int32, worker slot: Int) throws -> pid_t {
                let victim = try #require(run.worker(slot), "no worker \(slot)\n\(log)")
                kill(victim, number)
                return victim
            }

            func wait(_ words: String, until condition: () throws -> Bool) throws {
                try TestRun.wait("\(words)") {
                    try #require(!program.hasEnded, "ended before \(words)\n\(log)")
                    return try condition()
                }
            }

            /// Waits until the log's last generation has so many workers.
            func waitForMembers(_ count: Int) throws {
                try wait("a generation of \(count)") {
                    log.split(separator: "\n").last { $0.contains(" generation ") }
                        .map { $0.contains(": \(count) worker") } ?? false
                }
            }

            func expectUndisturbedModel() throws {
                #expect(try program.end() == .exited(0), "\(program.errorText)")
                #expect(
                    try program.result().text("model_sha256") == Recovery.undisturbed.get(),
                    "\(log)")
                #expect(program.errors == [])
                #expect(run.processes() == [])
                // Each step stands in the metrics once, in order.
                let steps = run.text("out/metrics.jsonl").split(separator: "\n").compactMap {
                    line -> Int? in
                    let fields = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                    guard let fields = fields as? [String: Any], fields["test_loss"] == nil
                    else { return nil }
                    return (fields["step"] as? NSNumber)?.intValue
                }
                #expect(steps == Array(1...6000))
            }
        }

        /// A crash must kill like any signal: Swift's own handler would write a report and go on.
        @Test(arguments: [SIGKILL, SIGSEGV])
        func killedWorkerIsReplaced(signal: Int32) throws {
            let midst = try Midst(workers: 3)
            try midst.signal(signal, worker: 1)
            try midst.wait("the loss") {
                midst.log.contains(" lost worker 1 ")
            }
            try midst.waitForMembers(3)
            try midst.expectUndisturbedModel()
        }

        @Test func allWorkersAtOnceAreReplaced() throws {
            let midst = try Midst(workers: 3)
            try midst.wait("a checkpoint") { midst.log.contains(" saved ") }
            for slot in 0..<3 { try midst.signal(SIGKILL, worker: slot) }
            try midst.wait("the loss of all") { midst.log.contains(" no worker is left; ") }
            try midst.waitForMembers(3)
            try midst.expectUndisturbedModel()
        }

        @Test func stoppedWorkerIsLeftBehindAndKilledAtTheEnd() throws {
            let midst = try Midst(workers: 3)
            let victim = try midst.signal(SIGSTOP, worker: 2)
            try midst.wait("the silence") { midst.log.contains(": no sign of life for ") }
            try midst.waitForMembers(2)
            #expect(midst.run.worker(2) == victim)
            try midst.expectUndisturbedModel()
        }

        @Test func stoppedWorkerThatWakesUpJoinsAgain() throws {
            let midst = try Midst(workers: 3)
            try midst.signal(SIGSTOP, worker: 0)
            try midst.wait("the silence") { midst.log.contains(": no sign of life for ") }
            try midst.waitForMembers(2)
            try midst.signal(SIGCONT, worker: 0)
            try midst.waitForMembers(3)
            try midst.expectUndisturbedModel()
        }

        @Test func workerThatIsAskedToLeaveHandsOver() throws {
            let midst = try Midst(workers: 3)
            try midst.signal(SIGTERM, worker: 1)
            try midst.wait("the leave") { midst.log.contains(" worker 1 (host ") }
            try midst.waitForMembers(2)
            try midst.expectUndisturbedModel()
            #expect(midst.log.contains(" has left: it was asked to by a signal"))
            #expect(!midst.log.contains(" lost worker "))
            #expect(!midst.log.contains(" computed again"))
        }

        @Test func killedCoordinatorIsReplaced() throws {
            let midst = try Midst(workers: 2)
            kill(try midst.coordinator(), SIGKILL)
            try midst.wait("the successor") { midst.log.contains(" workers are back") }
            try midst.expectUndisturbedModel()
            #expect(!midst.log.contains(" lost worker "))
        }

        /// The second one knows only what the first has written.
        @Test func coordinatorsAreReplacedOneAfterAnother() throws {
            let midst = try Midst(workers: 2)
            for count in 1...2 {
                kill(try midst.coordinator(), SIGKILL)
                try midst.wait("successor \(count)") {
                    midst.log.ranges(of: " workers are back").count == count
                }
                let saved = midst.log.ranges(of: " saved ").count
                try midst.wait("a checkpoint") { midst.log.ranges(of: " saved ").count > saved }
            }
            try midst.expectUndisturbedModel()
            let checkpoints = "\(midst.run.folder)/out/checkpoints"
            for name in try FileManager.default.contentsOfDirectory(atPath: checkpoints) {
                let manifest = midst.run.text("out/checkpoints/\(name)/manifest.json")
                #expect(!manifest.contains("\"arithmetic\" : \"\""), "\(manifest)")
            }
        }

        /// All workers give up their connections to it, and it finds all of them closed when it
        /// wakes up.
        @Test func suspendedCoordinatorTakesItsWorkersBack() throws {
            let run = try TestRun(
                length: Self.length,
                extra: Self.extra + "communication: { timeoutSeconds: 1, heartbeatSeconds: 0.1 }, ")
            let program = try run.start([
                "train", run.configuration, "--workers", "2", "--output", "\(run.folder)/out",
            ])
            try run.waitForSteps(in: "out")
            let coordinator = try #require(
                run.processes().first {
                    TestRun.arguments(of: $0).dropFirst().first == "coordinator"
                })
            kill(coordinator, SIGSTOP)
            defer { kill(coordinator, SIGCONT) }
            try TestRun.wait("both workers to miss it") {
                (0..<2).allSatisfy {
                    run.text("out/workers/worker-\($0).log").contains("calling again")
                }
            }
            kill(coordinator, SIGCONT)
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            #expect(try program.result().text("model_sha256") == Self.undisturbed.get())
            let log = run.text("out/log.txt")
            #expect(!log.contains("going back from step"), "\(log)")
            #expect(run.processes() == [])
        }

        @Test func aRunUnderWayKeepsItsFolder() throws {
            let midst = try Midst(workers: 1)
            for option in ["--overwrite", "--resume"] {
                let other = try midst.run.run(
                    "train", midst.run.configuration, "--output", "\(midst.run.folder)/out", option)
                #expect(other.errors.count == 1)
                #expect(
                    other.errors.first?.contains(
                        "a run is under way in \(midst.run.folder)/out (process")
                        == true, "\(other.errorText)")
                #expect(try other.end() == .exited(2))
            }
            try midst.expectUndisturbedModel()
        }

        @Test func everythingKilledResumesToTheSameModel() throws {
            let midst = try Midst(workers: 2)
            try midst.wait("a checkpoint") { midst.log.contains(" saved ") }
            for process in midst.run.processes() { kill(process, SIGKILL) }
            #expect(try midst.program.end() == .signalled(SIGKILL))
            try TestRun.wait("the end of all processes") { midst.run.processes().isEmpty }
            let resumed = try midst.run.train("out", workers: 3, "--resume")
            #expect(try resumed.text("model_sha256") == Self.undisturbed.get())
        }

        @Test func workerThatJoinsLateIsTakenIn() throws {
            let run = try TestRun(length: Self.length, extra: Self.extra)
            let coordinator = try run.start([
                "coordinator", run.configuration, "--workers", "1", "--listen", "127.0.0.1:0",
                "--output", "\(run.folder)/out",
            ])
            func address() -> String? {
                coordinator.errorText.split(separator: "\n")
                    .first { $0.hasPrefix("listening on ") }
                    .flatMap { $0.prefix { $0 != ";" }.split(separator: ":").last }
                    .map { "127.0.0.1:\($0)" }
            }
            try TestRun.wait("the coordinator's address") { address() != nil }
            let place = try #require(address())
            var workers = [try run.start(["worker", "--coordinator", place])]
            try run.waitForSteps(in: "out")
            for count in 2...3 {
                workers.append(try run.start(["worker", "--coordinator", place]))
                try TestRun.wait("\(count) workers") {
                    try #require(!coordinator.hasEnded, "\(coordinator.errorText)")
                    return run.text("out/log.txt").contains(": \(count) workers on ")
                }
            }
            #expect(try coordinator.end() == .exited(0), "\(coordinator.errorText)")
            for worker in workers { #expect(try worker.end() == .exited(0), "\(worker.errorText)") }
            #expect(
                try coordinator.result().text("model_sha256") == Self.undisturbed.get())
            #expect(run.processes() == [])
        }
    }
}
