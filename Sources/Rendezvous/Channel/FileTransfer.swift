// The sending half of a file transfer: cuts files into the pieces that WireFormat's FileAssembly
// puts together. Pieces are made one at a time, as the output queue empties, so that the queue
// never holds a second copy of a large checkpoint.

import Foundation
import WireFormat

/// Yields the header, the blobs and the trailer of one transfer.
struct FileTransfer {
    enum Piece {
        case begin(CheckpointHeader)
        case blob([UInt8])
        case end(CheckpointTrailer)
    }

    private let header: CheckpointHeader
    private let files: [TransferredFile]
    private var hasBegun = false
    private var hasEnded = false
    private var fileIndex = 0
    private var offset = 0

    /// - Throws: when the files break the bounds of a transfer.
    init(step: Int, isFinal: Bool, files: [TransferredFile]) throws(ControlMessageError) {
        header = CheckpointHeader(
            step: step, isFinal: isFinal,
            files: files.map { .init(name: $0.name, byteCount: $0.bytes.count) })
        self.files = files
        if let problem = header.problem { throw ControlMessageError(problem) }
    }

    /// The next piece, nil when all have been given.
    mutating func next() -> Piece? {
        if !hasBegun {
            hasBegun = true
            return .begin(header)
        }
        while fileIndex < files.count, offset == files[fileIndex].bytes.count {
            fileIndex += 1
            offset = 0
        }
        if fileIndex < files.count {
            let bytes = files[fileIndex].bytes
            let count = min(ControlProtocol.blobByteLimit, bytes.count - offset)
            let start = bytes.startIndex + offset
            offset += count
            return .blob([UInt8](bytes[start..<start + count]))
        }
        guard !hasEnded else { return nil }
        hasEnded = true
        return .end(
            CheckpointTrailer(
                step: header.step, byteCount: header.files.reduce(0) { $0 + $1.byteCount }))
    }
}
