import Datasets
import Foundation

// The vocabularies of a run lie in its folder beside the weights, whose rows they name: using the
// model does not need the text that it was trained on. The coordinator writes them before training
// begins.
//
//     vocabulary.json                 a language model's, or both sides' of pairs
//     source-vocabulary.json and
//     target-vocabulary.json          where the two sides have one each

/// The vocabularies of what a model reads and of what it writes.
package struct RunVocabularies: Equatable, Sendable {
    package static let sharedFileName = "vocabulary.json"
    package static let sourceFileName = "source-vocabulary.json"
    package static let targetFileName = "target-vocabulary.json"
    /// Every name that such a file may have.
    package static let fileNames = [sharedFileName, sourceFileName, targetFileName]

    /// The vocabulary of the inputs.
    package let source: Vocabulary
    /// The vocabulary of the outputs.
    package let target: Vocabulary
    /// Whether the two are one.
    package let isShared: Bool

    /// One for both sides.
    package init(shared: Vocabulary) {
        source = shared
        target = shared
        isShared = true
    }

    /// One for each side.
    package init(source: Vocabulary, target: Vocabulary) {
        self.source = source
        self.target = target
        isShared = false
    }

    /// Reads those of a run's folder.
    /// - Throws: `DataError` naming the file that is missing or damaged.
    package init(runFolder: String) throws(DataError) {
        let shared = "\(runFolder)/\(Self.sharedFileName)"
        let source = "\(runFolder)/\(Self.sourceFileName)"
        // A missing shared one is named where there is none at all.
        if FileManager.default.fileExists(atPath: source),
            !FileManager.default.fileExists(atPath: shared)
        {
            self.init(
                source: try Self.read(source),
                target: try Self.read("\(runFolder)/\(Self.targetFileName)"))
        } else {
            self.init(shared: try Self.read(shared))
        }
    }

    /// To be kept beside the weights.
    package var files: [RunFile] {
        isShared
            ? [RunFile(name: Self.sharedFileName, bytes: source.save())]
            : [
                RunFile(name: Self.sourceFileName, bytes: source.save()),
                RunFile(name: Self.targetFileName, bytes: target.save()),
            ]
    }

    private static func read(_ path: String) throws(DataError) -> Vocabulary {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw DataError(file: path, problem: .text(.noVocabulary))
        }
        defer { try? file.close() }
        let bytes: Data
        do {
            // One byte more than allowed is enough to be refused.
            bytes = try file.read(upToCount: Vocabulary.savedByteCountLimit + 1) ?? Data()
        } catch {
            throw DataError(file: path, problem: .unreadable(reason: error.localizedDescription))
        }
        return try Vocabulary(bytes, name: path)
    }
}
