// Runs of images whose data are NumPy's arrays.

import Configuration
import Foundation
import Learning
import Testing

private func run(_ data: String) throws -> RunConfiguration {
    try parse(
        """
        { replicas: 2, batchSize: 1, epochs: 1,
          data: { format: "numpy", \(data), classes: 128, lastBatch: "pad" },
          model: { layers: [
            { type: "flatten" }, { type: "linear", name: "output", outputFeatures: 128 },
          ] },
          optimizer: { type: "sgd", learningRate: 0.1 } }
        """)
}

@Suite struct NumPyConfigurationTests {
    @Test(arguments: [
        #"path: "mnist.npz""#, #"path: "/a/b.npz", testImages: "x_valid", testLabels: "y_valid""#,
        #"directory: "/arrays""#, #"directory: "/arrays", trainLabels: "coarse.npy""#,
        #"trainImages: "a", trainLabels: "b", testImages: "c", testLabels: "d""#,
    ])
    func arraysResolveToThemselves(data: String) throws {
        let configuration = try run(data)
        #expect(configuration.taskName == "imageClassification")
        let again = try RunConfiguration.parse(
            configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
        #expect(again == configuration)
        #expect(again.resolvedJSON() == configuration.resolvedJSON())
    }

    /// An archive that NumPy wrote, with three training and two test images of 2 x 4 pixels.
    @Test func arraysAreOutlinedFromTheirHeaders() throws {
        let texts = try JSONDecoder().decode(
            [String: String].self,
            from: Data(
                contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                    .appendingPathComponent("../DatasetsTests/reference/numpy_files.json")))
        let archive = try #require(texts["deflated.npz"].flatMap { Data(base64Encoded: $0) })
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("rondo-\(UUID().uuidString).npz")
        try archive.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }

        let configuration = try run("path: \"\(file.path)\"")
        let outline = try configuration.task.outline(configuration.context)
        #expect(outline.samples == "3 training and 2 test images")
        #expect(outline.plan.stepsPerEpoch == 2)
        let few = try run("path: \"\(file.path)\", trainSamples: 2, testSamples: 1")
        #expect(
            try few.task.outline(few.context).samples == "2 training and 1 test images")
        let many = try run("path: \"\(file.path)\", testSamples: 3")
        #expect(
            message(of: many)
                == "\(file.path): x_test: holds 2 samples, but data.testSamples needs at least 3")
    }

    private func message(of run: RunConfiguration) -> String {
        do {
            return try run.task.outline(run.context).samples
        } catch {
            return "\(error)"
        }
    }

    @Test func mistakesAreNamed() {
        func problem(_ data: String) -> String {
            do {
                _ = try run(data)
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(problem(#"path: "a.npz", directory: "b""#).contains("data.directory"))
        #expect(problem(#"trainImages: "a.npy""#).contains("data.trainLabels"))
        #expect(problem(#"path: "a.npz", trainLables: "y""#).contains("trainLabels"))
    }
}
