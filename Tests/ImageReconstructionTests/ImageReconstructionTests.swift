import Foundation
import Learning
import LearningTestSupport
import TaskCatalog
import Testing

@Suite struct ImageReconstructionTests {
    private let tasks = TaskList(allTasks)

    /// Files of striped images, 4x4.
    private func withFiles(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("rondo-reconstruction-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pixels = (0..<24 * 16).map { UInt8($0 % 16 % (2 + $0 / 16 % 3) == 0 ? 255 : 0) }
        let images = Data([0, 0, 8, 3, 0, 0, 0, 24, 0, 0, 0, 4, 0, 0, 0, 4]) + Data(pixels)
        let labels = Data([0, 0, 8, 1, 0, 0, 0, 24]) + Data(repeating: 7, count: 24)
        for (name, bytes) in [("a", images), ("b", labels), ("c", images), ("d", labels)] {
            try bytes.write(to: folder.appendingPathComponent(name))
        }
        try body(folder.path)
    }

    private func configuration(_ folder: String, outputs: String) throws -> RunConfiguration {
        let text = """
            { task: "imageReconstruction", replicas: 2, batchSize: 6, steps: 60,
              data: { trainImages: "\(folder)/a", trainLabels: "\(folder)/b",
                      testImages: "\(folder)/c", testLabels: "\(folder)/d" },
              model: { layers: [ { type: "flatten" }, { type: "linear", outputFeatures: 4 },
                                 { type: "linear", outputFeatures: \(outputs) } ] },
              optimizer: { type: "adam", learningRate: 0.02 } }
            """
        return try RunConfiguration.parse(Data(text.utf8), origin: "run.json", tasks: tasks)
    }

    @Test func imagesComeBackBetterAfterTraining() throws {
        try withFiles { folder in
            let configuration = try configuration(folder, outputs: "\"outputs\"")
            let again = try RunConfiguration.parse(
                configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
            #expect(again == configuration && again.taskName == "imageReconstruction")
            let run = try LocalRun(configuration)
            let metrics = configuration.task.metrics
            let before = metrics.figures(ofEvaluation: try run.task.evaluation.total())
            try run.train(to: 60)
            let sums = try run.task.evaluation.total()
            let after = metrics.figures(ofEvaluation: sums)
            #expect(sums[0] == 24 && sums[2] == 24 * 16)
            #expect((after["test_loss"] ?? 1) < 0.5 * (before["test_loss"] ?? 0))
        }
    }

    @Test func theOutputMustBeAsLongAsAnImage() throws {
        try withFiles { folder in
            let configuration = try configuration(folder, outputs: "15")
            #expect {
                try configuration.task.outline(configuration.context)
            } throws: { error in
                "\(error)".contains("model.layers.2") && "\(error)".contains("16 features")
            }
        }
    }
}
