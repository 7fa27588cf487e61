// Pairs of texts and the networks for them, as configurations ask for them.

import Foundation
import Configuration
import Learning
import Testing

private let configurationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../../configs").path

private func pairRun(_ data: String, _ overrides: String...) throws -> RunConfiguration {
    let text = """
        { replicas: 2, batchSize: 3, epochs: 1, data: { format: "pairs", \(data) },
          model: { type: "recurrentTranslator", width: 8 },
          optimizer: { type: "adam", learningRate: 0.001 } }
        """
    return try RunConfiguration.parse(
        Data(text.utf8), origin: "run.json", overrides: overrides, tasks: tasks)
}

@Suite struct PairConfigurationTests {
    @Test(arguments: ["seq2seq-reversal", "seq2seq-dates", "seq2seq-reversal-transformer"])
    func shippedOnesReadAndResolve(name: String) throws {
        let configuration = try RunConfiguration.load(
            path: "\(configurationsFolder)/\(name).json", tasks: tasks)
        #expect(configuration.taskName == "translation")
        let again = try RunConfiguration.parse(
            configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
        #expect(again == configuration)
        #expect(again.resolvedJSON() == configuration.resolvedJSON())
    }

    @Test(arguments: [
        #"path: "pairs.tsv""#, #"sources: "a", targets: "b", testSources: "c", testTargets: "d""#,
        #"path: "pairs.tsv", testPath: "test.tsv", vocabulary: "words", sharedVocabulary: true"#,
        #"generator: "dates", seed: 5, trainingPairs: 10, sourceVocabulary: "bytePairs""#,
        #"generator: "reversal", symbols: 5, minimumLength: 2, maximumLength: 3"#,
    ])
    func everyOriginResolvesToItself(data: String) throws {
        let configuration = try pairRun(data)
        let again = try RunConfiguration.parse(
            configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
        #expect(again == configuration)
        #expect(again.resolvedJSON() == configuration.resolvedJSON())
    }

    @Test func pathsMoveTogether() throws {
        let data = try pairRun(#"sources: "/a/s", targets: "/b/t", testPath: "x/y.tsv""#).task.data
        #expect(data.paths == ["/a/s", "/b/t", "x/y.tsv"])
        let moved = data.relocated(toFolder: "/new")
        #expect(moved.paths == ["/new/s", "/new/t", "/new/y.tsv"])
        #expect(
            moved.resolved == [
                "sources": .string("/new/s"), "targets": .string("/new/t"),
                "testPath": .string("/new/y.tsv"),
            ])
        let made = try pairRun(#"generator: "dates""#).task.data
        #expect(made.paths.isEmpty)
        #expect(made.relocated(toFolder: "/new").resolved == made.resolved)
    }

    @Test func defaultsAreThoseOfTheReadme() throws {
        guard case .object(let data) = try pairRun(#"path: "p""#).task.resolved["data"] else {
            Issue.record("no data")
            return
        }
        #expect(data["path"] == .string("p") && data["testShare"] == .number(0.1))
        #expect(data["sourceVocabulary"] == .string("characters"))
        #expect(data["targetVocabulary"] == .string("characters"))
        #expect(data["sharedVocabulary"] == .bool(false) && data["bucketing"] == .bool(true))
        #expect(data["lengthLimit"] == .integer(64))
    }

    @Test(arguments: [
        ("", "missing key \"data.path\""),
        (#"path: "p", sources: "s", targets: "t""#, "\"data.path\""),
        (#"sources: "s""#, "missing key \"data.targets\""),
        (#"path: "p", testPath: "t", testShare: 0.5"#, "\"data.testShare\""),
        (#"path: "p", seed: 1"#, "\"data.seed\""),
        (#"generator: "dates", path: "p""#, "\"data.path\""),
        (#"generator: "dates", symbols: 3"#, "\"data.symbols\""),
        (#"generator: "reversals""#, "did you mean \"reversal\""),
        (#"generator: "reversal", minimumLength: 5, maximumLength: 4"#, "\"data.minimumLength\""),
        (#"path: "p", sharedVocabulary: true, sourceVocabulary: "words""#, "sharedVocabulary"),
    ])
    func mistakesInDataAreNamed(data: String, words: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try pairRun(data) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "none")")
    }

    @Test(arguments: [
        ("model={layers: [{type: \"flatten\"}]}", "\"model.type\""),
        ("model.type=recurrentTranslater", "did you mean \"recurrentTranslator\""),
        ("model.heads=2", "\"model.heads\""),
        ("model={type: \"transformerTranslator\", width: 10, heads: 3}", "\"model.heads\""),
        ("model={type: \"transformerTranslator\", width: 10}", "\"model.heads\""),
        ("model.attention=dot", "\"model.attention\""),
        ("data={format: \"text\", path: \"p\"}", "\"model.type\""),
    ])
    func mistakesInModelsAreNamed(override: String, words: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try pairRun(#"path: "p""#, override)
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "none")")
    }
}
