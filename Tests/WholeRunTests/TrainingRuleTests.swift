import Foundation
import Testing

extension WholeRunTests {
    /// Optimizers, clipping, averages and losses: whatever is asked for, the number of workers and
    /// a stop change no bit.
    @Suite(.serialized) struct TrainingRules {
        private static let images = [
            ["gradients='bfloat16'", "bucketMegabytes=0.002"],
            [
                "optimizer={type:'rmsprop',learningRate:0.002,momentum:0.5,clipping:{globalNorm:0.5},"
                    + "decayNormsAndBiases:false,weightDecay:0.01,"
                    + "groups:[{match:'block',learningRateFactor:0.5}]}",
                "average={decay:0.9}", "schedule={type:'oneCycle'}",
            ],
            [
                "optimizer={type:'adagrad',learningRate:0.02,clipping:{value:0.02}}",
                "model.loss={labelSmoothing:0.1,classWeights:[1,0.3,2,0.7]}",
                "schedule={type:'inverseSquareRoot',warmupSteps:4}",
            ],
            ["optimizer={type:'adadelta',learningRate:1}", "average={decay:0.5,warmsUp:false}"],
        ]

        private static let text = """
            {
              replicas: 4, batchSize: 2, steps: 12, seed: 3,
              data: { format: "text", path: "PATH", context: 8, windows: "random" },
              model: {
                layers: [
                  { type: "embedding", name: "embedding", width: 8 },
                  { type: "gru", name: "gru", hiddenSize: 8, layers: 2, dropout: 0.2 },
                  { type: "layerNorm", name: "norm" },
                  { type: "linear", name: "output", outputFeatures: "outputs" },
                ],
                loss: { labelSmoothing: 0.1 },
              },
              optimizer: {
                type: "adamw", learningRate: 0.01, decayNormsAndBiases: false,
                clipping: { globalNorm: 0.25 },
              },
              average: { decay: 0.9 },
              evaluation: { everySteps: 5 },
            }
            """

        /// Trains with two workers, with one, and again with three from its checkpoint after step
        /// 5.
        private func trainInThreeWays(_ run: TestRun, _ settings: [String], figures: [String])
            throws
        {
            let options = settings.flatMap { ["--set", $0] }
            func train(
                _ name: String, workers: Int, _ more: [String] = []
            ) throws -> [String: Any] {
                let program = try run.start(
                    [
                        "train", run.configuration, "--workers", "\(workers)", "--output",
                        "\(run.folder)/\(name)", "--set", "checkpoint={everySteps:5,keep:9}",
                    ] + options + more)
                let end = try program.end()
                try #require(end == .exited(0), "\(program.errorText)")
                return try program.result()
            }
            let whole = try train("whole", workers: 2)
            let digest = try whole.text("model_sha256")
            #expect(try train("parts", workers: 1).text("model_sha256") == digest)
            let checkpoints = "\(run.folder)/parts/checkpoints"
            let later = try FileManager.default.contentsOfDirectory(atPath: checkpoints)
                .filter { $0 != "step-00000005" }
            #expect(later.count >= 2)
            for name in later {
                try FileManager.default.removeItem(atPath: "\(checkpoints)/\(name)")
            }
            let resumed = try train("parts", workers: 3, ["--resume"])
            #expect(try resumed.text("model_sha256") == digest)
            let measured = try run.run("evaluate", "\(run.folder)/whole").result()
            for name in figures {
                #expect(try resumed.number(name) == whole.number(name))
                #expect(try abs(measured.number(name) - whole.number(name)) < 1e-6)
            }
        }

        @Test(arguments: images) func sameBitsForImages(settings: [String]) throws {
            try trainInThreeWays(
                try TestRun(length: "steps: 12"), settings,
                figures: ["test_accuracy", "test_loss"])
        }

        @Test func sameBitsForTextAndItsValidationLoss() throws {
            let run = try TestRun()
            let path = "\(run.folder)/text.txt"
            let words = (0..<300).map { "\($0 * $0 % 97) little words" }
            try run.write(words.joined(separator: ", "), to: "text.txt")
            try run.write(Self.text.replacing("PATH", with: path))
            try trainInThreeWays(run, [], figures: ["validation_loss"])
            #expect(run.text("whole/metrics.jsonl").contains("\"gradient_norm\""))
            let evaluations = run.text("whole/metrics.jsonl").split(separator: "\n")
                .filter { $0.contains("validation_loss") }
            // After the steps 5, 10 and 12; nothing of it is a test.
            #expect(evaluations.count == 3)
            #expect(!run.text("whole/metrics.jsonl").contains("test_"))
        }
    }
}
