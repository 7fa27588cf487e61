import Foundation
import Testing

extension WholeRunTests {
    /// Sequence to sequence from a configuration to translated lines.
    @Suite(.serialized) struct Pairs {
        private static func configuration(_ model: String) -> String {
            """
            {
              seed: 7, replicas: 4, batchSize: 4, steps: 12,
              data: { format: "pairs", generator: "dates", trainingPairs: 90, testPairs: 20 },
              model: \(model),
              optimizer: { type: "adam", learningRate: 0.01, clipping: { globalNorm: 1.0 } },
              checkpoint: { everySteps: 5 },
              evaluation: { batchSize: 6 },
            }
            """
        }

        private static let models = [
            #"{ type: "recurrentTranslator", cell: "lstm", width: 12, dropout: 0.2 }"#,
            #"""
            { type: "transformerTranslator", width: 16, heads: 2, encoderLayers: 1,
              decoderLayers: 1, dropout: 0.2, loss: { labelSmoothing: 0.1 } }
            """#,
        ]

        @Test(arguments: models)
        func sameModelForAnyNumberOfWorkersAndAfterAStop(model: String) throws {
            let run = try TestRun()
            try run.write(Self.configuration(model))
            let results = try (1...4).map { try run.train("out\($0)", workers: $0) }
            let digests = try results.map { try $0.text("model_sha256") }
            #expect(Set(digests).count == 1, "\(digests)")
            let losses = try results.map { try $0.number("test_loss") }
            #expect(Set(losses).count == 1, "\(losses)")
            _ = try run.train("parts", workers: 1, "--steps", "5")
            let resumed = try run.train("parts", workers: 3, "--resume")
            #expect(try resumed.text("model_sha256") == digests[0])
        }

        @Test func aRunTranslatesWithoutItsData() throws {
            let run = try TestRun()
            let folder = "\(run.folder)/out"
            let data = try run.run(
                "data", "dates", "--count", "60", "--test", "10", "--output",
                "\(run.folder)/dates")
            #expect(data.errorText.contains("60 pairs in"))
            try run.write(
                Self.configuration(Self.models[0]).replacingOccurrences(
                    of: #"generator: "dates", trainingPairs: 90, testPairs: 20"#,
                    with:
                        #"path: "\#(run.folder)/dates/pairs.tsv", testPath: "\#(run.folder)/dates/test.tsv""#
                ))
            let result = try run.train("out", workers: 2)
            let evaluation = try run.run("evaluate", folder)
            #expect(
                try evaluation.result().number("test_loss") == result.number("test_loss"))
            try FileManager.default.removeItem(atPath: "\(run.folder)/dates")

            try run.write("March 9th, 2011\n\n2001-05-17\n", to: "lines.txt")
            let greedy = try run.run("predict", folder, "\(run.folder)/lines.txt")
            #expect(try greedy.end() == .exited(0), "\(greedy.errorText)")
            let lines = greedy.outputText.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 4 && lines[1].isEmpty, "\(lines)")
            let picture = "\(run.folder)/map.png"
            let beam = try run.run(
                "predict", folder, "--text", "2001-05-17", "--beam", "3", "--attention", picture)
            #expect(try beam.end() == .exited(0), "\(beam.errorText)")
            let head = FileManager.default.contents(atPath: picture)?.prefix(8)
            #expect(head == Data([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))

            let long = String(repeating: "1", count: 65)
            for (arguments, words) in [
                (["--text", long], "line 1 has 65 symbols"), ([], "needs INPUT or --text"),
                (["--text", "a", "--top", "2"], "'--top' is not for"),
                (["--text", "a", "--text", "b", "--attention", picture], "draws one line"),
                (["--text", "a", "--attention", "/nowhere/x.png"], "cannot write the picture"),
            ] {
                let refused = try run.start(["predict", folder] + arguments)
                #expect(try refused.end() != .exited(0))
                #expect(refused.errors.first?.contains(words) == true, "\(refused.errorText)")
            }
        }
    }
}
