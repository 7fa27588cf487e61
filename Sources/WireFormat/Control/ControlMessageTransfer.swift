// Files on the control plane: a header with names and sizes, the bytes in blob frames, a trailer.
// A checkpoint goes up this way and the state to resume from comes down. Messages may come between
// the blobs: a heartbeat does not wait for a large file.

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
