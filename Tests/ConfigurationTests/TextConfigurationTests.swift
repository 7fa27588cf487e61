import Foundation
import Configuration
import Learning
import Testing

private let configurationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../../configs").path

/// Sequence layers and text data survive resolving, and keep their settings.
@Test(arguments: ["fashion-mnist-gru", "text-lstm", "text-lstm-residual", "text-gpt"])
func sequenceConfigurationReadsAndResolves(name: String) throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/\(name).json", tasks: tasks)
    let again = try RunConfiguration.parse(
        configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
    #expect(again == configuration)
    #expect(again.resolvedJSON() == configuration.resolvedJSON())
}

@Test func textSettingsAreRead() throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/text-gpt.json", overrides: ["data.path=/texts/a.txt"],
        tasks: tasks)
    #expect(configuration.taskName == "languageModel")
    #expect(configuration.task.data.paths == ["/texts/a.txt"])
    guard case .object(let data) = configuration.task.resolved["data"] else {
        Issue.record("no data")
        return
    }
    #expect(data["context"] == .integer(64))
    #expect(data["windows"] == .string("random"))
    #expect(data["vocabulary"] == .string("characters"))
}

@Test func textMistakesAreNamed() throws {
    func problem(_ override: String) throws -> String {
        let error = try #require(throws: ConfigurationError.self) {
            try RunConfiguration.load(
                path: "\(configurationsFolder)/text-lstm.json", overrides: [override], tasks: tasks)
        }
        return "\(error)"
    }
    #expect(try problem("data.vocabulary=letters").contains("\"data.vocabulary\""))
    #expect(try problem("data.validationShare=1").contains("\"data.validationShare\""))
    #expect(try problem("data.trainImages=x").contains("data.trainImages"))
    #expect(try problem("model.layers.1.hiddenSize=0").contains("model.layers.1.hiddenSize"))
    #expect(try problem("model.layers.2.outputFeatures=inputs").contains("\"outputs\""))
}
