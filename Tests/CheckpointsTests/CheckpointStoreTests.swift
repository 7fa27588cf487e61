// Checkpoints on disk: whole or absent, the newest whole one is found, old ones go.

import Checkpoints
import Foundation
import Testing

private func description(_ step: Int) -> CheckpointDescription {
    CheckpointDescription(
        step: step, epoch: step / 10, seed: 7, configurationDigest: "c0ffee", arithmetic: "test")
}

private func files(_ step: Int) -> [(name: String, bytes: Data)] {
    [
        ("model.safetensors", Data((0..<100).map { UInt8(($0 + step) % 256) })),
        ("optimizer.safetensors", Data()),
    ]
}

/// Replaces a file of a checkpoint without the care that the store takes.
private func damage(_ path: String, _ change: (inout Data) -> Void) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    change(&bytes)
    try bytes.write(to: URL(fileURLWithPath: path))
}

@Test func checkpointReadsBack() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: "\(folder)/checkpoints")
        #expect(try store.latestComplete().checkpoint == nil)
        #expect(try store.steps() == [])
        try store.write(description(60), files: files(60))
        let path = "\(folder)/checkpoints/step-00000060"
        #expect(
            try names(in: path) == ["manifest.json", "model.safetensors", "optimizer.safetensors"])
        let (found, warnings) = try store.latestComplete()
        #expect(warnings.isEmpty)
        #expect(found?.description == description(60))
        #expect(found?.folder == path)
        #expect(found?.file("model.safetensors") == files(60)[0].bytes)
        #expect(found?.file("optimizer.safetensors") == Data())
        #expect(found?.file("other") == nil)
        #expect(found?.files.map(\.name) == files(60).map(\.name))
    }
}

@Test func onlyTheNewestAreKept() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder, keep: 2)
        for step in [5, 10, 15, 99_999_999, 100_000_000] {
            try store.write(description(step), files: files(step))
        }
        #expect(try store.steps() == [99_999_999, 100_000_000])
        #expect(try names(in: folder) == ["step-100000000", "step-99999999"])
        #expect(try store.latestComplete().checkpoint?.description.step == 100_000_000)
    }
}

@Test func sameStepIsReplaced() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        try store.write(description(5), files: [("model.safetensors", Data([1]))])
        #expect(try names(in: folder) == ["step-00000005"])
        #expect(try store.read(step: 5).files.map(\.bytes) == [Data([1])])
    }
}

@Test func leftoversOfACrashAreIgnoredAndThenRemoved() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        let leftover = "\(folder)/.partial-step-00000010"
        try FileManager.default.createDirectory(
            atPath: leftover, withIntermediateDirectories: false)
        try Data([1, 2]).write(to: URL(fileURLWithPath: "\(leftover)/model.safetensors"))
        try Data().write(to: URL(fileURLWithPath: "\(folder)/step-12"))
        #expect(try store.latestComplete().checkpoint?.description.step == 5)
        #expect(FileManager.default.fileExists(atPath: leftover))
        try store.prepare()
        #expect(try names(in: folder) == ["step-00000005", "step-12"])
        try store.write(description(10), files: files(10))
        #expect(try store.steps() == [5, 10])
    }
}

@Test(arguments: ["flip", "cut", "grow", "missing", "manifest", "no manifest", "moved"])
func damagedNewestFallsBackWithAWarning(kind: String) throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        try store.write(description(10), files: files(10))
        let model = "\(folder)/step-00000010/model.safetensors"
        let manifest = "\(folder)/step-00000010/manifest.json"
        let expected: String
        switch kind {
        case "flip":
            try damage(model) { $0[50] ^= 1 }
            expected = "\(model): damaged: expected SHA-256 "
        case "cut":
            try damage(model) { $0.removeLast() }
            expected = "\(model): damaged: expected 100 bytes, got 99"
        case "grow":
            try damage(model) { $0.append(0) }
            expected = "\(model): damaged: expected 100 bytes, got 101"
        case "missing":
            try FileManager.default.removeItem(atPath: model)
            expected = "\(model): cannot open: No such file or directory"
        case "manifest":
            try damage(manifest) { $0.removeLast($0.count / 2) }
            expected = "\(manifest): damaged manifest: no format version"
        case "no manifest":
            try FileManager.default.removeItem(atPath: manifest)
            expected = "\(manifest): cannot open: No such file or directory"
        default:
            try FileManager.default.moveItem(
                atPath: "\(folder)/step-00000010", toPath: "\(folder)/step-00000011")
            expected =
                "\(folder)/step-00000011/manifest.json: damaged manifest: it is that of step 10"
        }
        let (found, warnings) = try store.latestComplete()
        #expect(found?.description.step == 5)
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix(expected) == true, "\(warnings)")
    }
}

@Test func noUsableCheckpointIsAnErrorThatSaysWhy() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        let model = "\(folder)/step-00000005/model.safetensors"
        try damage(model) { $0.removeAll() }
        let error = #expect(throws: CheckpointError.self) { try store.latestComplete() }
        #expect(
            error?.description == "\(folder): no usable checkpoint "
                + "(\(model): damaged: expected 100 bytes, got 0)")
    }
}

@Test func newerFormatIsNamed() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        let manifest = "\(folder)/step-00000005/manifest.json"
        try Data(#"{"formatVersion": 9}"#.utf8).write(to: URL(fileURLWithPath: manifest))
        let error = #expect(throws: CheckpointError.self) { try store.read(step: 5) }
        #expect(
            error?.description == "\(manifest): written in format 9, this program knows up to 1; "
                + "use the version of rondo that wrote it")
    }
}

@Test(arguments: ["../model", "a/b", "", ".hidden", "manifest.json", "a\nb", "é"])
func fileNamesStayWithinTheCheckpoint(name: String) throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        #expect(throws: CheckpointError.self) {
            try store.write(description(5), files: [(name, Data([1]))])
        }
        let left = try names(in: folder)
        #expect(left == [])
    }
}

@Test func failedWriteLeavesTheEarlierCheckpoints() throws {
    try withFolder { folder in
        let store = CheckpointStore(directory: folder)
        try store.write(description(5), files: files(5))
        #expect(throws: CheckpointError.self) {
            try store.write(description(6), files: [("a", Data([1])), ("a", Data([2]))])
        }
        #expect(try names(in: folder) == ["step-00000005"])
        let file = CheckpointStore(directory: "\(folder)/step-00000005/manifest.json")
        let error = #expect(throws: CheckpointError.self) {
            try file.write(description(7), files: [])
        }
        #expect(error?.description.hasSuffix("manifest.json: cannot create: File exists") == true)
    }
}

@Test func atomicFileReplacesAndLeavesNothingBehind() throws {
    try withFolder { folder in
        let path = "\(folder)/model.safetensors"
        try AtomicFile.write(Data([1, 2, 3]), to: path)
        try AtomicFile.write(Data([4]), to: path)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([4]))
        #expect(try names(in: folder) == ["model.safetensors"])
        let absent = "\(folder)/absent/model.safetensors"
        let error = #expect(throws: CheckpointError.self) {
            try AtomicFile.write(Data([1]), to: absent)
        }
        #expect(error?.description == "\(absent): cannot create: No such file or directory")
        // A folder in the way: the rename fails, and the hidden file is removed again.
        let taken = "\(folder)/taken"
        try FileManager.default.createDirectory(
            atPath: "\(taken)/inner", withIntermediateDirectories: true)
        #expect(throws: CheckpointError.self) { try AtomicFile.write(Data([1]), to: taken) }
        #expect(try names(in: folder) == ["model.safetensors", "taken"])
    }
}
