import Foundation
import Glibc
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

        /// The text's network with a table of which a step updates the rows of its symbols alone.
        private static let sparse = [
            "model.layers=[{type:'embedding',name:'embedding',width:8,sparse:true},"
                + "{type:'gru',name:'gru',hiddenSize:8},"
                + "{type:'linear',name:'output',outputFeatures:'outputs'}]",
            "optimizer={type:'adam',learningRate:0.01,clipping:{globalNorm:0.25}}",
        ]

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

        @Test(arguments: [[], sparse])
        func sameBitsForTextAndItsValidationLoss(settings: [String]) throws {
            let run = try TestRun()
            let path = "\(run.folder)/text.txt"
            let words = (0..<300).map { "\($0 * $0 % 97) little words" }
            try run.write(words.joined(separator: ", "), to: "text.txt")
            try run.write(Self.text.replacing("PATH", with: path))
            try trainInThreeWays(run, settings, figures: ["validation_loss"])
            #expect(run.text("whole/metrics.jsonl").contains("\"gradient_norm\""))
            let evaluations = run.text("whole/metrics.jsonl").split(separator: "\n")
                .filter { $0.contains("validation_loss") }
            // After the steps 5, 10 and 12; nothing of it is a test.
            #expect(evaluations.count == 3)
            #expect(!run.text("whole/metrics.jsonl").contains("test_"))
        }

        @Test func aKilledWorkerChangesNoBitOfASparseTable() throws {
            let run = try TestRun()
            let words = (0..<300).map { "\($0 * $0 % 97) little words" }
            try run.write(words.joined(separator: ", "), to: "text.txt")
            try run.write(Self.text.replacing("PATH", with: "\(run.folder)/text.txt"))
            let options = (Self.sparse + ["steps=2000", "evaluation={everyEpochs:0}"])
                .flatMap { ["--set", $0] }
            func train(_ name: String, workers: Int) throws -> RunningProgram {
                try run.start(
                    [
                        "train", run.configuration, "--workers", "\(workers)", "--output",
                        "\(run.folder)/\(name)",
                    ] + options)
            }
            let whole = try train("whole", workers: 1)
            try #require(try whole.end() == .exited(0), "\(whole.errorText)")
            let disturbed = try train("out", workers: 3)
            try run.waitForSteps(in: "out")
            kill(try #require(run.worker(1)), SIGKILL)
            try #require(try disturbed.end() == .exited(0), "\(disturbed.errorText)")
            #expect(
                try disturbed.result().text("model_sha256")
                    == whole.result().text("model_sha256"))
            #expect(run.text("out/log.txt").contains("generation 2"))
        }

        @Test func decayOfASparseTableIsRefusedBeforeTheRun() throws {
            let run = try TestRun()
            try run.write(
                String(repeating: "some words, and more words ", count: 60), to: "text.txt")
            try run.write(Self.text.replacing("PATH", with: "\(run.folder)/text.txt"))
            func program(_ optimizer: String) throws -> RunningProgram {
                try run.run(
                    "train", run.configuration, "--output", "\(run.folder)/out", "--set",
                    Self.sparse[0], "--set", "optimizer=\(optimizer)")
            }
            let refused = try program("{type:'adamw',learningRate:0.01}")
            #expect(try refused.end() == .exited(2))
            #expect(
                refused.errors.first?.contains(
                    "weight decay would change all rows of the sparse table \"embedding.weight\"")
                    == true, "\(refused.errorText)")
            let groups = "groups:[{match:'embedding',decayFactor:0}]"
            let accepted = try program("{type:'adamw',learningRate:0.01,\(groups)}")
            #expect(try accepted.end() == .exited(0), "\(accepted.errorText)")
        }
    }
}
