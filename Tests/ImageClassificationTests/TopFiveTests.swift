// Top-5 accuracy: the figure is there where it says something, and counts what NumPy's argsort
// counts.

import Foundation
import Learning
import LearningTestSupport
import TaskCatalog
import Testing

@Suite struct TopFiveTests {
    /// Twelve images of 2x2, labels 0 to 11, and a network whose scores are the pixels' sums with
    /// weights that grow by class.
    private func configuration(classes: Int) throws -> RunConfiguration {
        let text = """
            { replicas: 1, batchSize: 4, steps: 1,
              data: { trainImages: "a", trainLabels: "b", testImages: "c", testLabels: "d",
                      classes: \(classes) },
              model: { layers: [{ type: "flatten" }, { type: "linear", outputFeatures: \(classes) }] },
              optimizer: { type: "sgd", learningRate: 0.1 } }
            """
        return try RunConfiguration.parse(
            Data(text.utf8), origin: "run.json", tasks: TaskList(allTasks))
    }

    @Test func theFigureIsThereForManyClassesAlone() throws {
        let few = try configuration(classes: 10).task.metrics
        #expect(few.evaluation.map(\.key) == ["test_accuracy", "test_loss"])
        let many = try configuration(classes: 12).task.metrics
        #expect(many.evaluation.map(\.key) == ["test_accuracy", "test_loss", "test_top5_accuracy"])
        #expect(many.evaluationSums.count == 4)
    }

    @Test func labelsAmongTheFiveLargestScoresCount() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("rondo-top5-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let images =
            Data([0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 2])
            + Data(repeating: 255, count: 48)
        let labels = Data([0, 0, 8, 1, 0, 0, 0, 12]) + Data((0..<12).map { UInt8($0) })
        for (name, bytes) in [("a", images), ("b", labels), ("c", images), ("d", labels)] {
            try bytes.write(to: folder.appendingPathComponent(name))
        }
        var configuration = try configuration(classes: 12)
        configuration.task.data = configuration.task.data.relocated(toFolder: folder.path)
        let run = try LocalRun(configuration)
        let weights = run.model.store.values
        // Every image gets the same twelve scores, so five of the twelve labels are among the five
        // largest.
        let sums = try run.task.evaluation.total()
        #expect(weights.count > 0 && sums[0] == 12)
        #expect(sums[2] == 1 && sums[3] == 5)
        let figures = configuration.task.metrics.figures(ofEvaluation: sums)
        #expect(figures["test_top5_accuracy"] == 5.0 / 12)
    }
}
