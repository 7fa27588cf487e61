import Foundation
import Launching
import Testing
import Transport

@Suite struct ProcessorCoresTests {
    @Test func workersThatFillTheMachineShareItOut() {
        #expect(
            ProcessorCores.shares(workers: 2, threads: 2, available: [0, 1, 4, 5])
                == [[0, 1], [4, 5]])
        #expect(ProcessorCores.shares(workers: 2, threads: 1, available: [3, 7]) == [[3], [7]])
    }

    @Test func othersAreLeftToTheScheduler() {
        for (workers, threads) in [(1, 4), (2, 1), (3, 1), (8, 1), (5, 1)] {
            #expect(
                ProcessorCores.shares(
                    workers: workers, threads: threads, available: [0, 1, 2, 3]) == nil)
        }
        #expect(ProcessorCores.shares(workers: 2, threads: 1, available: []) == nil)
    }

    /// The child says itself where it may run, and this thread may run everywhere again.
    @Test func aChildStaysOnItsCores() throws {
        let before = ProcessorCores.available
        let core = try #require(before.last)
        let path = FileManager.default.temporaryDirectory.path + "/rondo-cores-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let ended = DispatchSemaphore(value: 0)
        let child = try ChildProcess(
            name: "grep",
            .init(
                executable: "grep", arguments: ["grep", "Cpus_allowed_list", "/proc/self/status"],
                standardOutput: .appended(to: path), cores: [core])
        ) { _, _ in ended.signal() }
        #expect(ended.wait(timeout: .now() + 20) == .success)
        #expect(child.status == .exited(0))
        #expect(
            try String(contentsOfFile: path, encoding: .utf8) == "Cpus_allowed_list:\t\(core)\n")
        #expect(ProcessorCores.available == before)
    }
}
