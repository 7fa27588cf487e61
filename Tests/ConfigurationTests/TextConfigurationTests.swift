import Foundation
import Configuration
import Learning
import Testing

private let configurationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../../configs").path

/// Sequence layers and text data survive resolving, and keep their settings.
@Test(arguments: ["fashion-mnist-gru", "text-lstm", "text-lstm-residual", "text-gpt"])
func sequenceConfigurationReadsAndResolves(name: String) throws {
    let configuration = try RunConfiguration.load(path: "\(configurationsFolder)/\(name).json")
    let again = try RunConfiguration.parse(configuration.resolvedJSON(), origin: "config.json")
    #expect(again == configuration)
    #expect(again.resolvedJSON() == configuration.resolvedJSON())
}

@Test func textSettingsAreRead() throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/text-gpt.json", overrides: ["data.path=/texts/a.txt"])
    guard case .text(let text) = configuration.data else {
        Issue.record("not a text: \(configuration.data)")
        return
    }
    #expect(text.path == "/texts/a.txt")
    #expect(text.context == 64)
    #expect(text.windows == .random)
    #expect(text.vocabulary == .characters)
}

@Test func textMistakesAreNamed() throws {
    func problem(_ override: String) throws -> String {
        let error = try #require(throws: ConfigurationError.self) {
            try RunConfiguration.load(
                path: "\(configurationsFolder)/text-lstm.json", overrides: [override])
        }
        return "\(error)"
    }
    #expect(try problem("data.vocabulary=letters").contains("\"data.vocabulary\""))
    #expect(try problem("data.validationShare=1").contains("\"data.validationShare\""))
    #expect(try problem("data.trainImages=x").contains("data.trainImages"))
    #expect(try problem("model.layers.1.hiddenSize=0").contains("model.layers.1.hiddenSize"))
    #expect(try problem("model.layers.2.outputFeatures=inputs").contains("\"outputs\""))
}
