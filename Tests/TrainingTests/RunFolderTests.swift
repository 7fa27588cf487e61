import Foundation
import Testing
import Training

@Suite struct RunFolderTests {
    private let path = FileManager.default.temporaryDirectory.path + "/rondo-\(UUID().uuidString)"

    private func problem(_ mode: RunFolder.Mode) -> RunFolderError.Problem? {
        do throws(RunFolderError) {
            try RunFolder(path: path).check(mode)
            return nil
        } catch {
            return error.problem
        }
    }

    @Test func modesByWhatIsThere() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(problem(.begin) == nil)
        #expect(problem(.overwrite) == nil)
        #expect(problem(.resume) == .nothingToResume)

        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #expect(problem(.begin) == nil, "an empty folder is as good as none")

        try Data().write(to: URL(fileURLWithPath: "\(path)/letter.txt"))
        #expect(problem(.begin) == .notARun)
        #expect(problem(.overwrite) == .notARun)
        #expect(problem(.resume) == .nothingToResume)

        try Data().write(to: URL(fileURLWithPath: "\(path)/config.json"))
        #expect(problem(.begin) == .exists)
        #expect(problem(.overwrite) == nil)
        #expect(problem(.resume) == nil)
    }

    @Test func overwriteLeavesForeignFiles() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = RunFolder(path: path)
        try folder.prepare(.begin)
        for name in ["config.json", "metrics.jsonl", "letter.txt"] {
            try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }
        try folder.prepare(.overwrite)
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(names.sorted() == ["letter.txt", "workers"])
    }

    @Test func folderThatCannotBeMadeNamesTheReason() {
        let folder = RunFolder(path: "/proc/rondo")
        #expect(throws: RunFolderError.self) { try folder.prepare(.begin) }
    }
}
