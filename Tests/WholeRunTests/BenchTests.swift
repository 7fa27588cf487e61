import Foundation
import Testing

extension WholeRunTests {
    @Suite(.serialized) struct Bench {
        /// After the first steps nothing more is asked of the system, and a worker stays small.
        @Test(arguments: ["mlp", "cnn", "resnet20", "lstm", "gpt", "seq2seq"])
        func stepsAllocateNothing(workload: String) throws {
            let run = try TestRun()
            let bench = try run.run(
                "bench", "train", workload, "--workers", "2", "--steps", "3", "--json")
            let figures = try #require(
                try JSONSerialization.jsonObject(with: Data(bench.outputText.utf8))
                    as? [String: Any])
            #expect(try figures.number("system_allocations") == 0, "\(figures)")
            #expect(try figures.number("peak_rss_mb") < 150, "\(figures)")
            print(
                "\(workload): \(try figures.number("peak_rss_mb")) MB per worker,"
                    + " \(try figures.number("system_allocations")) allocations in steady steps")
        }
    }
}
