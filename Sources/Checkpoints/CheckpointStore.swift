// A run's checkpoints on disk. Each is a folder `step-00000060` that appears by a rename after all
// its files have been synced, so it is complete or absent; its manifest carries the size and digest
// of each file, so that damage done later is noticed and the checkpoint before it is taken.
//
//     checkpoints/step-00000040/{manifest.json, model.safetensors, optimizer.safetensors}
//     checkpoints/.partial-step-00000060/...       being written, or left by a crash

import Foundation

/// Which state of which run a checkpoint holds.
public struct CheckpointDescription: Codable, Equatable, Sendable {
    /// Committed steps.
    public var step: Int
    /// Complete epochs.
    public var epoch: Int
    /// The run's seed.
    public var seed: UInt64
    /// SHA-256 of the resolved configuration.
    public var configurationDigest: String
    /// What the bits depend on beside the configuration: the kernels chosen, threads, versions.
    public var arithmetic: String

    /// A description of the state after `step` steps.
    public init(
        step: Int, epoch: Int, seed: UInt64, configurationDigest: String, arithmetic: String
    ) {
        self.step = step
        self.epoch = epoch
        self.seed = seed
        self.configurationDigest = configurationDigest
        self.arithmetic = arithmetic
    }
}

/// A checkpoint that has been read and found whole.
public struct StoredCheckpoint: Sendable {
    /// What it holds.
    public let description: CheckpointDescription
    /// Its folder.
    public let folder: String
    /// In the order in which they were written.
    public let files: [(name: String, bytes: Data)]

    /// The bytes of one file.
    public func file(_ name: String) -> Data? { files.first { $0.name == name }?.bytes }
}

/// Writes, keeps and finds the checkpoints of one run. One writer at a time.
public struct CheckpointStore: Sendable {
    static let formatVersion = 1
    private static let manifestName = "manifest.json"
    private static let partialPrefix = ".partial-"
    private static let stepPrefix = "step-"
    private static let manifestByteCountLimit = 1 << 20

    struct Manifest: Codable {
        struct File: Codable {
            let name: String
            let byteCount: Int
            let sha256: String
        }
        let formatVersion: Int
        let description: CheckpointDescription
        let files: [File]
    }

    /// The folder of all checkpoints.
    public let directory: String
    /// Complete checkpoints beyond this number are removed, oldest first.
    public let keep: Int

    /// A store in `directory`, which need not exist yet.
    public init(directory: String, keep: Int = 2) {
        precondition(keep > 0, "keep \(keep) checkpoints")
        self.directory = directory
        self.keep = keep
    }

    /// Creates the folder and removes what a crash left unfinished.
    public func prepare() throws(CheckpointError) {
        try FileAccess.createFolder(directory)
        for name in try FileAccess.names(in: directory) where name.hasPrefix(Self.partialPrefix) {
            try FileAccess.remove(path(name))
        }
    }

    /// Saves one checkpoint; one of the same step is replaced. On a throw the earlier checkpoints
    /// are as they were.
    public func write(
        _ description: CheckpointDescription, files: [(name: String, bytes: Data)]
    ) throws(CheckpointError) {
        try prepare()
        let name = Self.folderName(description.step)
        let partial = path(Self.partialPrefix + name)
        do throws(CheckpointError) {
            try FileAccess.createFolder(partial)
            var entries: [Manifest.File] = []
            for file in files {
                guard Self.isUsable(file.name), !entries.contains(where: { $0.name == file.name })
                else {
                    throw CheckpointError(
                        path: directory, problem: .badFileName(name: file.name))
                }
                try FileAccess.writeSynced(file.bytes, to: "\(partial)/\(file.name)")
                entries.append(
                    Manifest.File(
                        name: file.name, byteCount: file.bytes.count,
                        sha256: SHA256Digest.hexadecimal(of: file.bytes)))
            }
            let manifest = Manifest(
                formatVersion: Self.formatVersion, description: description, files: entries)
            try FileAccess.writeSynced(
                try encoded(manifest), to: "\(partial)/\(Self.manifestName)")
            try FileAccess.syncFolder(partial)
        } catch {
            try? FileAccess.remove(partial)
            throw error
        }
        if FileAccess.isFolder(path(name)) {
            // Only when a resumed run repeats a step; the older checkpoint bridges the moment.
            try discard(name)
        }
        try FileAccess.rename(partial, to: path(name))
        try FileAccess.syncFolder(directory)
        for step in try steps().dropLast(keep) { try discard(Self.folderName(step)) }
    }

    /// The steps of which there is a checkpoint, ascending. None if there is no folder.
    public func steps() throws(CheckpointError) -> [Int] {
        guard FileAccess.isFolder(directory) else { return [] }
        let names = try FileAccess.names(in: directory)
        return names.compactMap(Self.step(ofFolder:)).sorted()
    }

    /// The newest checkpoint that is whole, and a warning for each newer one that is not. Nil if
    /// there is none at all.
    /// - Throws: `noneUsable` if there are checkpoints, but all are damaged.
    public func latestComplete() throws(CheckpointError) -> (
        checkpoint: StoredCheckpoint?, warnings: [String]
    ) {
        var warnings: [String] = []
        for step in try steps().reversed() {
            do throws(CheckpointError) {
                return (try read(step: step), warnings)
            } catch {
                warnings.append("\(error)")
            }
        }
        guard warnings.isEmpty else {
            throw CheckpointError(path: directory, problem: .noneUsable(warnings: warnings))
        }
        return (nil, [])
    }

    /// Reads one checkpoint and checks every file against the manifest.
    public func read(step: Int) throws(CheckpointError) -> StoredCheckpoint {
        let folder = path(Self.folderName(step))
        let manifest = try self.manifest(folder)
        guard manifest.description.step == step else {
            throw CheckpointError(
                path: "\(folder)/\(Self.manifestName)",
                problem: .badManifest(reason: "it is that of step \(manifest.description.step)"))
        }
        var files: [(name: String, bytes: Data)] = []
        for file in manifest.files {
            let path = "\(folder)/\(file.name)"
            guard Self.isUsable(file.name), file.byteCount >= 0 else {
                throw CheckpointError(path: folder, problem: .badFileName(name: file.name))
            }
            let bytes = try FileAccess.read(path, limit: file.byteCount)
            guard bytes.count == file.byteCount else {
                throw CheckpointError(
                    path: path, problem: .wrongSize(expected: file.byteCount, got: bytes.count))
            }
            let digest = SHA256Digest.hexadecimal(of: bytes)
            guard digest == file.sha256 else {
                throw CheckpointError(
                    path: path, problem: .wrongDigest(expected: file.sha256, got: digest))
            }
            files.append((file.name, bytes))
        }
        return StoredCheckpoint(description: manifest.description, folder: folder, files: files)
    }

    /// `step-00000060`
    public static func folderName(_ step: Int) -> String {
        let digits = String(step)
        return stepPrefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    private static func step(ofFolder name: String) -> Int? {
        guard name.hasPrefix(stepPrefix), let step = Int(name.dropFirst(stepPrefix.count)),
            step >= 0, folderName(step) == name
        else { return nil }
        return step
    }

    /// Names come from other processes: they must stay within the checkpoint's folder.
    private static func isUsable(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128 && !name.hasPrefix(".") && name != manifestName
            && name.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                        || [".", "_", "-"].contains(scalar))
            }
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Takes a checkpoint out of sight before removing it, so that it is never seen in part.
    private func discard(_ name: String) throws(CheckpointError) {
        let hidden = path("\(Self.partialPrefix)old-\(name)")
        try FileAccess.rename(path(name), to: hidden)
        try FileAccess.remove(hidden)
    }

    private func encoded(_ manifest: Manifest) throws(CheckpointError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(manifest)
        } catch {
            throw CheckpointError(
                path: directory, problem: .badManifest(reason: "it cannot be encoded"))
        }
    }

    private func manifest(_ folder: String) throws(CheckpointError) -> Manifest {
        let path = "\(folder)/\(Self.manifestName)"
        let bytes = try FileAccess.read(path, limit: Self.manifestByteCountLimit)
        struct Version: Decodable { let formatVersion: Int }
        let decoder = JSONDecoder()
        guard let version = try? decoder.decode(Version.self, from: bytes) else {
            throw CheckpointError(path: path, problem: .badManifest(reason: "no format version"))
        }
        guard version.formatVersion <= Self.formatVersion else {
            throw CheckpointError(
                path: path,
                problem: .newerFormat(version: version.formatVersion, known: Self.formatVersion))
        }
        guard let manifest = try? decoder.decode(Manifest.self, from: bytes) else {
            throw CheckpointError(path: path, problem: .badManifest(reason: "keys are missing"))
        }
        return manifest
    }
}
