// data.json: identifies a run's data on resume and audit, even if the files have moved.

import Checkpoints
import Foundation

/// SHA-256 over the sizes of the data files and pieces of them: their ends and 256 blocks spread
/// evenly in between. It tells other data from the run's, at a cost that no start of a run notices;
/// it is no proof against single bytes that were changed on purpose.
package struct DataFingerprint: Codable, Equatable {
    private static let endByteCount = 64 << 10
    private static let blockByteCount = 4 << 10
    private static let blockCount = 256

    package let fingerprint: String

    /// Nil when the run has no files, or one cannot be read: reading the data gives a better error.
    package init?(ofFiles paths: [String]) {
        guard !paths.isEmpty else { return nil }
        let digest = SHA256Digest()
        for path in paths {
            guard let file = FileHandle(forReadingAtPath: path),
                (try? Self.add(file, to: digest)) != nil
            else { return nil }
        }
        fingerprint = digest.finish()
    }

    private static func add(_ file: FileHandle, to digest: SHA256Digest) throws {
        defer { try? file.close() }
        let byteCount = try file.seekToEnd()
        digest.update(Data("\(byteCount) bytes\n".utf8))
        func addPiece(at offset: UInt64, _ count: Int) throws {
            try file.seek(toOffset: offset)
            digest.update(try file.read(upToCount: count) ?? Data())
        }
        let whole = UInt64(2 * endByteCount + blockCount * blockByteCount)
        guard byteCount > whole else { return try addPiece(at: 0, Int(byteCount)) }
        try addPiece(at: 0, endByteCount)
        let spread = byteCount - UInt64(2 * endByteCount + blockByteCount)
        for block in 0..<UInt64(blockCount) {
            try addPiece(
                at: UInt64(endByteCount) + block * spread / UInt64(blockCount), blockByteCount)
        }
        try addPiece(at: byteCount - UInt64(endByteCount), endByteCount)
    }

    // MARK: - In the run's folder

    /// The one that the folder keeps; nil in runs that have none.
    package init?(in folder: RunFolder) {
        guard let bytes = FileManager.default.contents(atPath: folder.dataPath),
            let read = try? JSONDecoder().decode(Self.self, from: bytes)
        else { return nil }
        self = read
    }

    package func write(in folder: RunFolder) throws {
        try AtomicFile.write(
            try JSONEncoder().encode(self) + [UInt8(ascii: "\n")], to: folder.dataPath)
    }

    /// Whether the data files at `paths` are those of the run in a folder, as far as both are
    /// known.
    package static func isUnchanged(_ paths: [String], in folder: RunFolder) -> Bool {
        guard let kept = DataFingerprint(in: folder), let found = DataFingerprint(ofFiles: paths)
        else { return true }
        return kept == found
    }
}
