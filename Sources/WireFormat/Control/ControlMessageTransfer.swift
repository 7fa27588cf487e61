// Files on the control plane: a header with names and sizes, the bytes in blob frames, a trailer.
// A checkpoint goes up this way and the state to resume from comes down. Messages may come between
// the blobs: a heartbeat does not wait for a large file.
//
// `FileAssembly` is the receiving half. It counts every byte against the header, so that a sender
// that says more, less or other than it announced is found at the frame where it does.

import Foundation

/// The files that follow.
package struct CheckpointHeader: ControlMessageBody {
    package struct File: Codable, Hashable, Sendable {
        package var name: String
        package var byteCount: Int

        package init(name: String, byteCount: Int) {
            self.name = name
            self.byteCount = byteCount
        }
    }

    /// The most files in one transfer.
    package static let fileLimit = 64
    /// The most bytes in one transfer: the receiver holds them in memory.
    package static let byteLimit = 1 << 33

    /// The number of committed steps that the files describe.
    package var step: Int
    /// True for the run's last checkpoint.
    package var isFinal: Bool
    package var files: [File]

    package init(step: Int, isFinal: Bool, files: [File]) {
        self.step = step
        self.isFinal = isFinal
        self.files = files
    }

    package var problem: String? {
        if files.count > Self.fileLimit {
            return "\(files.count) files, at most \(Self.fileLimit) are allowed"
        }
        var byteCount = 0
        for file in files {
            if !Self.isPlain(file.name) { return "a file has a name that is not a plain one" }
            if !(0...Self.byteLimit).contains(file.byteCount) {
                return "'\(file.name)' has an impossible size: \(file.byteCount)"
            }
            byteCount += file.byteCount
        }
        if byteCount > Self.byteLimit {
            return "\(byteCount) bytes of files, at most \(Self.byteLimit) are allowed"
        }
        if Set(files.map(\.name)).count != files.count { return "two files have one name" }
        return ControlMessageBounds.count(step, "step")
    }

    /// Names become paths in the run's folder, so they may not lead out of it or hide.
    private static func isPlain(_ name: String) -> Bool {
        guard (1...ControlMessageBounds.nameByteLimit).contains(name.utf8.count),
            !name.hasPrefix(".")
        else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}

/// All files have been sent.
package struct CheckpointTrailer: ControlMessageBody {
    package var step: Int
    package var byteCount: Int

    package init(step: Int, byteCount: Int) {
        self.step = step
        self.byteCount = byteCount
    }

    package var problem: String? {
        ControlMessageBounds.count(step, "step")
            ?? ControlMessageBounds.count(byteCount, "byteCount")
    }
}

/// A file that travels on the control plane.
package typealias TransferredFile = (name: String, bytes: Data)

/// Puts the blobs of one transfer back together.
package struct FileAssembly: Sendable {
    package let header: CheckpointHeader
    private var contents: [Data]
    private var fileIndex = 0
    private var receivedByteCount = 0

    package init(header: CheckpointHeader) {
        self.header = header
        // No reservation by the announced size: memory grows with what really arrives.
        contents = header.files.map { _ in Data() }
        skipFullFiles()
    }

    /// Takes the payload of the next blob frame; a blob never spans two files.
    package mutating func append(_ blob: some Collection<UInt8>) throws(ControlMessageError) {
        guard fileIndex < header.files.count else {
            throw ControlMessageError("more file bytes than were announced")
        }
        let file = header.files[fileIndex]
        guard !blob.isEmpty, blob.count <= ControlProtocol.blobByteLimit else {
            throw ControlMessageError(
                "a blob of \(blob.count) bytes, 1 to \(ControlProtocol.blobByteLimit) are allowed")
        }
        guard contents[fileIndex].count + blob.count <= file.byteCount else {
            throw ControlMessageError(
                "'\(file.name)' is larger than the announced \(file.byteCount) bytes")
        }
        contents[fileIndex].append(contentsOf: blob)
        receivedByteCount += blob.count
        skipFullFiles()
    }

    /// The complete files, once the trailer has come.
    package func finish(_ trailer: CheckpointTrailer) throws(ControlMessageError)
        -> [TransferredFile]
    {
        guard fileIndex == header.files.count, trailer.byteCount == receivedByteCount,
            trailer.step == header.step
        else {
            throw ControlMessageError(
                "the files of step \(header.step) ended after \(receivedByteCount) bytes, expected "
                    + "\(header.files.reduce(0) { $0 + $1.byteCount })")
        }
        return zip(header.files, contents).map { (name: $0.name, bytes: $1) }
    }

    private mutating func skipFullFiles() {
        while fileIndex < header.files.count,
            contents[fileIndex].count == header.files[fileIndex].byteCount
        {
            fileIndex += 1
        }
    }
}
