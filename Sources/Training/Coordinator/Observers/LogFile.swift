// log.txt: every line that the coordinator had to say, with its time. A resumed run's lines follow
// those of the run before.

import Foundation
import RunFolders

/// Writes a run's log. One user.
final class LogFile: RunObserver {
    private let folder: RunFolder
    private let file: FileHandle

    /// Opens the file, and makes it where there is none.
    init(folder: RunFolder) throws(RunFolderError) {
        self.folder = folder
        do {
            if !FileManager.default.fileExists(atPath: folder.logPath) {
                try Data().write(to: URL(fileURLWithPath: folder.logPath))
            }
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.logPath))
            try file.seekToEnd()
        } catch {
            throw folder.cannotWrite("log.txt", error)
        }
    }

    deinit { try? file.close() }

    func logged(_ line: String, isDetail: Bool) throws(RunFolderError) {
        let time = Date().formatted(.iso8601)
        do {
            try file.write(contentsOf: Data("\(time) \(line)\n".utf8))
        } catch {
            throw folder.cannotWrite("log.txt", error)
        }
    }
}
