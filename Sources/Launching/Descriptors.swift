// Descriptors that never leak into a child by accident: every pipe is closed on exec from birth as
// far as this process can see to it, and `ChildProcess` closes what other code left open.

import Glibc

/// Runs a call again when a signal interrupted it.
func retryingInterrupts<Value: SignedInteger>(_ body: () -> Value) -> Value {
    while true {
        let result = body()
        if result != -1 || errno != EINTR { return result }
    }
}

/// A pipe with both ends closed on exec.
struct Pipe {
    let readEnd: Int32
    let writeEnd: Int32

    init(for subject: String) throws(LaunchingError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .system(subject: subject, operation: "open a pipe", errorNumber: errno)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }
}

/// The descriptors from 3 on that are open in this process right now.
func openDescriptors() -> [Int32] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if let descriptor = Int32(name), descriptor > 2, descriptor != dirfd(folder) {
            found.append(descriptor)
        }
    }
    return found
}
