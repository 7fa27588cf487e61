// The few system calls that saving needs, each with its interrupt retried and its error named.
// Foundation's file writing does not sync, which a checkpoint must before it may be believed.

import Foundation

enum FileAccess {
    static func words(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// Runs a system call until it is not interrupted; throws the error it left.
    @discardableResult
    static func call<Result: SignedInteger>(
        _ operation: String, _ path: String, _ body: () -> Result
    ) throws(CheckpointError) -> Result {
        while true {
            let result = body()
            if result != -1 { return result }
            let code = errno
            if code != EINTR {
                throw CheckpointError(
                    path: path, problem: .system(operation: operation, code: code))
            }
        }
    }

    /// Creates (or empties) the file, writes all of `bytes` and has the disk confirm it.
    static func writeSynced(_ bytes: Data, to path: String) throws(CheckpointError) {
        let descriptor = try call("create", path) {
            open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        }
        defer { close(descriptor) }
        var offset = 0
        while offset < bytes.count {
            let remaining = bytes.dropFirst(offset)
            offset += try call("write", path) {
                remaining.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            }
        }
        try call("sync", path) { fsync(descriptor) }
    }

    /// Makes a rename or a new file in the folder survive a loss of power.
    static func syncFolder(_ path: String) throws(CheckpointError) {
        let descriptor = try call("open", path) { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(descriptor) }
        try call("sync", path) { fsync(descriptor) }
    }

    static func rename(_ old: String, to new: String) throws(CheckpointError) {
        try call("rename to \"\((new as NSString).lastPathComponent)\"", old) {
            Foundation.rename(old, new)
        }
    }

    static func createFolder(_ path: String) throws(CheckpointError) {
        do {
            try call("create", path) { mkdir(path, 0o755) }
        } catch {
            // The folder being there already is what is wanted; anything else of the name is not.
            guard error.problem == .system(operation: "create", code: EEXIST), isFolder(path)
            else { throw error }
        }
    }

    static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }

    /// Names in a folder, sorted; hidden ones too.
    static func names(in folder: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(folder) else {
            throw CheckpointError(
                path: folder, problem: .system(operation: "list", code: errno))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Reads a regular file of at most `limit` bytes whole.
    static func read(_ path: String, limit: Int) throws(CheckpointError) -> Data {
        let descriptor = try call("open", path) { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        defer { close(descriptor) }
        var status = stat()
        try call("examine", path) { fstat(descriptor, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CheckpointError(path: path, problem: .system(operation: "read", code: EISDIR))
        }
        let byteCount = Int(status.st_size)
        guard byteCount <= limit else {
            throw CheckpointError(path: path, problem: .wrongSize(expected: limit, got: byteCount))
        }
        var bytes = Data(count: byteCount)
        var filled = 0
        while filled < byteCount {
            let count = try call("read", path) {
                bytes.withUnsafeMutableBytes { buffer in
                    Foundation.read(
                        descriptor, buffer.baseAddress.map { $0 + filled }, byteCount - filled)
                }
            }
            guard count > 0 else { break }
            filled += count
        }
        return filled == byteCount ? bytes : bytes.prefix(filled)
    }

    /// Removes a file or a folder with all it holds.
    static func remove(_ path: String) throws(CheckpointError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw CheckpointError(path: path, problem: .system(operation: "remove", code: EIO))
        }
    }
}

/// Replaces a file in one piece: a reader, or a crash, meets the old bytes or the new ones.
public enum AtomicFile {
    /// Writes to a hidden name beside `path`, syncs, and renames.
    public static func write(_ bytes: Data, to path: String) throws(CheckpointError) {
        let folder = (path as NSString).deletingLastPathComponent
        let name = (path as NSString).lastPathComponent
        let temporary = (folder as NSString).appendingPathComponent(".partial-\(name)")
        do throws(CheckpointError) {
            try FileAccess.writeSynced(bytes, to: temporary)
            try FileAccess.rename(temporary, to: path)
        } catch {
            unlink(temporary)
            throw CheckpointError(path: path, problem: error.problem)
        }
        try FileAccess.syncFolder(folder.isEmpty ? "." : folder)
    }
}
