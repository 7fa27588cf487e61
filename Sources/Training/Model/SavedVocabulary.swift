import Checkpoints
import Datasets
import Foundation

// The vocabularies of a run lie in its folder beside the weights, whose rows they name: whoever uses the
// model needs neither the text that it was trained on nor luck. The coordinator writes them before
// training begins.
//
//     vocabulary.json                                     a language model's, or both sides' of pairs
//     source-vocabulary.json, target-vocabulary.json      where the two sides have one each

/// What a run's model reads and writes.
package struct RunVocabularies: Equatable, Sendable {
    package static let sharedFileName = "vocabulary.json"
    package static let sourceFileName = "source-vocabulary.json"
    package static let targetFileName = "target-vocabulary.json"
    /// Every name that one of them may have.
    package static let fileNames = [sharedFileName, sourceFileName, targetFileName]

    /// Of what the model reads.
    package let source: Vocabulary
    /// Of what it writes.
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

    /// The files' names and contents.
    package var files: [(name: String, bytes: Data)] {
        isShared
            ? [(Self.sharedFileName, source.save())]
            : [(Self.sourceFileName, source.save()), (Self.targetFileName, target.save())]
    }

    /// Writes the files.
    func write(to folder: RunFolder) throws(CheckpointError) {
        for (name, bytes) in files { try AtomicFile.write(bytes, to: "\(folder.path)/\(name)") }
    }

    /// A run goes on with the vocabulary that its weights were made for: after a change of the text the
    /// same rows would stand for other symbols.
    /// - Throws: `DataError` if the folder has another one than this.
    func check(against folder: RunFolder) throws(DataError) {
        for (name, bytes) in files {
            guard let saved = FileManager.default.contents(atPath: "\(folder.path)/\(name)"),
                saved != bytes
            else { continue }
            throw DataError(file: "\(folder.path)/\(name)", problem: .text(.otherVocabulary))
        }
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
            throw DataError(file: path, problem: .unreadable(reason: RunFolder.words(for: error)))
        }
        return try Vocabulary(bytes, name: path)
    }
}
