// data.json: by what a run's data are known again when it is resumed or audited, wherever they lie by then.

import Checkpoints
import Foundation
import Configuration
import Learning

/// SHA-256 over the sizes of the data files and pieces of them: their ends and 256 blocks spread evenly in
/// between. It tells other data from the run's, at a cost that no start of a run notices; it is no proof against
/// somebody who changes single bytes on purpose.
struct DataFingerprint: Codable, Equatable {
    private static let endByteCount = 64 << 10
    private static let blockByteCount = 4 << 10
    private static let blockCount = 256

    let fingerprint: String

    /// Nil when the run has no files, or one cannot be read: who reads the data says so better.
    init?(of configuration: RunConfiguration) {
        var paths: [String] = []
        _ = configuration.data.mappingPaths { path in
            paths.append(path)
            return path
        }
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

    /// What the folder keeps; nil in runs that have none.
    init?(in folder: RunFolder) {
        guard let bytes = FileManager.default.contents(atPath: folder.dataPath),
            let read = try? JSONDecoder().decode(Self.self, from: bytes)
        else { return nil }
        self = read
    }

    func write(in folder: RunFolder) throws {
        try AtomicFile.write(
            try JSONEncoder().encode(self) + [UInt8(ascii: "\n")], to: folder.dataPath)
    }

    /// Whether the data that a configuration names are those of the run in a folder, as far as both are known.
    static func isUnchanged(_ configuration: RunConfiguration, in folder: RunFolder) -> Bool {
        guard let kept = DataFingerprint(in: folder), let found = DataFingerprint(of: configuration)
        else { return true }
        return kept == found
    }
}
