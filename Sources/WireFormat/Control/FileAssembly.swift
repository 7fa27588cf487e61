// The receiving half of a file transfer. It counts every byte against the header, so that a sender
// whose bytes differ from what it announced is found at the frame where they do.

import Foundation

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
