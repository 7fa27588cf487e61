// The vocabulary in a run's folder: written before training, read back without the text.

import Datasets
import Foundation
import Configuration
import Learning
import Testing
import RunFolders
import Training

@Suite struct RunVocabulariesTests {
    private func configuration(_ fixture: RunFixture, text: String) throws -> RunConfiguration {
        let path = "\(fixture.path)/text.txt"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try fixture.configuration(
            "data={format: \"text\", path: \"\(path)\", context: 4}",
            "model.layers=[{type: \"embedding\", width: 4}, {type: \"linear\","
                + " outputFeatures: \"outputs\"}]")
    }

    @Test func theFolderHasTheVocabularyOfTheText() throws {
        let fixture = try RunFixture()
        let text = String(repeating: "the cat sat on the mat\n", count: 10)
        let configuration = try configuration(fixture, text: text)
        try fixture.folder.prepare(.begin, taskFiles: [])
        _ = try fixture.recorder(configuration)
        let saved = try RunVocabularies(runFolder: fixture.folder.path)
        #expect(saved.isShared && saved.source == saved.target)
        #expect(saved.source.text(of: try saved.source.encode("tea no mats")) == "tea no mats")
        fixture.folder.remove(includingFolder: true, taskFiles: tasks.fileNames)
        #expect(!fixture.exists("out"))
    }

    @Test func aMissingOrDamagedOneIsNamed() throws {
        let fixture = try RunFixture()
        let missing = #expect(throws: DataError.self) {
            try RunVocabularies(runFolder: fixture.path)
        }
        #expect(missing?.description.hasPrefix("\(fixture.path)/vocabulary.json: no such") == true)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(fixture.path)/vocabulary.json"))
        let damaged = #expect(throws: DataError.self) {
            try RunVocabularies(runFolder: fixture.path)
        }
        #expect(damaged?.description.contains("vocabulary.json: not a usable") == true)
    }

    @Test func twoSidesHaveAFileEach() throws {
        let fixture = try RunFixture()
        let sides = ["ab", "xyz"].map { text in
            Vocabulary(
                .characters, of: [Array(text.utf8)[...]], specialSymbols: true)
        }
        let vocabularies = RunVocabularies(source: sides[0], target: sides[1])
        for file in vocabularies.files {
            try file.bytes.write(to: URL(fileURLWithPath: "\(fixture.path)/\(file.name)"))
        }
        #expect(try RunVocabularies(runFolder: fixture.path) == vocabularies)
    }
}
