import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    /// Standard streams that are full, closed or listened to from elsewhere.
    @Suite(.serialized) struct Streams {
        private func arguments(_ run: TestRun) -> [String] {
            ["train", run.configuration, "--output", "\(run.folder)/out"]
        }

        @Test func lostResultIsAFailure() throws {
            let run = try TestRun()
            let program = try run.start(arguments(run), redirections: ">/dev/full")
            #expect(try program.end() == .exited(1))
            #expect(
                program.errors == [
                    "cannot write the result to standard output: No space left on device"
                ])
            let help = try run.start(["train", "--help"], redirections: ">/dev/full")
            #expect(try help.end() == .exited(1))
            #expect(help.errors.count == 1)
        }

        @Test func closedStreamsDoNotGetIntoTheRunsFiles() throws {
            let run = try TestRun()
            let program = try run.start(arguments(run), redirections: "2>&- >&- <&-")
            #expect(try program.end() == .exited(0))
            let metrics = run.text("out/metrics.jsonl").split(separator: "\n")
            #expect(!metrics.isEmpty)
            for line in metrics {
                #expect(
                    (try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil, "\(line)")
            }
            for line in run.text("out/log.txt").split(separator: "\n") {
                #expect(line.first?.isNumber == true, "no time: \(line)")
            }
        }

        @Test func wildcardIsNotAnAddressToConnectTo() throws {
            let run = try TestRun()
            let program = try run.start([
                "coordinator", run.configuration, "--listen", "0.0.0.0:0", "--output",
                "\(run.folder)/out",
            ])
            try TestRun.wait("the invitation") { program.errorText.contains("where ADDRESS is") }
            #expect(program.errorText.contains("rondo worker --coordinator ADDRESS:"))
            program.signal(SIGTERM)
            #expect(try program.end() == .exited(130))
        }
    }
}
