import Checkpoints
import Datasets
import Foundation
import RunFolders

// What a task keeps in a run's folder beside the weights.

extension RunFolder {
    /// Writes a task's files.
    package func write(_ files: [RunFile]) throws(CheckpointError) {
        for file in files { try AtomicFile.write(file.bytes, to: "\(path)/\(file.name)") }
    }

    /// A run goes on with the files that its weights were made for: after a change of the text the
    /// same rows would stand for other symbols.
    /// - Throws: `DataError` if the folder has another one than these.
    package func check(_ files: [RunFile]) throws(DataError) {
        for file in files {
            let path = "\(path)/\(file.name)"
            guard let saved = FileManager.default.contents(atPath: path), saved != file.bytes
            else { continue }
            throw DataError(file: path, problem: .text(.otherVocabulary))
        }
    }
}
