import Foundation

// Two coordinators in one folder would write over each other. The lock is the kernel's, on the
// folder itself: it leaves no file behind and ends with the process, however that ends.

/// Keeps a run's folder for this process, for as long as the object lives.
package final class RunFolderLock {
    private let descriptor: Int32

    /// - Throws: `RunFolderError.inUse` when another process leads a run there.
    package init(_ folder: RunFolder) throws(RunFolderError) {
        descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // What cannot be opened is found out, and named, where files are written. Some network file
        // systems lock no folders; there, whoever starts two runs in one has to know.
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK
        else { return }
        // The end of this object closes the descriptor.
        throw RunFolderError(
            path: folder.path, problem: .inUse(coordinator: CoordinatorPlace(in: folder)?.words))
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

extension CoordinatorPlace {
    fileprivate var words: String { "process \(pid) on \(host) leads it at \(address)" }
}
