// The bytes of a file, unpacked when the file is gzip. Whether it is, is told by its first two
// bytes, not by its name. Reading goes piece by piece, so that a header costs one small read and no
// file, however large it claims to be, is held twice.

import CZlib
import Foundation

/// Where packed bytes come from: a file, or memory in tests and for input made elsewhere.
final class ByteSource {
    /// Of the packed bytes; bounds what unpacking can give.
    let byteCount: UInt64
    let name: String
    private let descriptor: Int32
    private let memory: [UInt8]
    /// Where reading on is.
    private var offset: UInt64 = 0

    init(path: String) throws(DataError) {
        name = path
        memory = []
        let descriptor = Self.retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        let openError = errno
        guard descriptor >= 0 else {
            let problem: DataError.Problem =
                openError == ENOENT ? .missing : .unreadable(reason: Self.words(openError))
            throw DataError(file: path, problem: problem)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw DataError(file: path, problem: .unreadable(reason: "it is not a regular file"))
        }
        self.descriptor = descriptor
        byteCount = UInt64(max(0, status.st_size))
    }

    init(bytes: [UInt8], name: String) {
        self.name = name
        memory = bytes
        descriptor = -1
        byteCount = UInt64(bytes.count)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Fills as much of `buffer` as there is; fewer bytes than its count only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let count = try read(at: offset, into: buffer)
        offset += UInt64(count)
        return count
    }

    /// Fills as much of `buffer` as there is from `offset` on, wherever reading on is.
    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(DataError) -> Int {
        guard let base = buffer.baseAddress, let start = off_t(exactly: offset) else { return 0 }
        guard descriptor >= 0 else {
            let bytes = memory.dropFirst(Int(start)).prefix(buffer.count)
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
        var filled = 0
        while filled < buffer.count {
            let (place, isTooFar) = start.addingReportingOverflow(off_t(filled))
            guard !isTooFar else { break }
            let count = Self.retryingInterrupts {
                pread(descriptor, base + filled, buffer.count - filled, place)
            }
            let readError = errno
            guard count >= 0 else {
                throw DataError(
                    file: name, problem: .unreadable(reason: Self.words(readError)))
            }
            guard count > 0 else { break }
            filled += count
        }
        return filled
    }

    /// The last `count` bytes, for a look at gzip's trailer; nil if there are not so many.
    func tail(_ count: Int) -> [UInt8]? {
        guard byteCount >= UInt64(count) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = bytes.withUnsafeMutableBytes {
            try? read(at: byteCount - UInt64(count), into: $0)
        }
        return got == count ? bytes : nil
    }

    private static func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }

    private static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// The unpacked bytes of a source.
final class UnpackedStream {
    let name: String
    let isGzip: Bool
    /// No more unpacked bytes than this can come: deflate packs at most 1032 to 1.
    let byteCountBound: UInt64
    private let source: ByteSource
    private var stream = z_stream()
    private var isOpen = false
    /// Whether the current gzip member has ended, so that another or the end must follow.
    private var memberEnded = false
    private var delivered: UInt64 = 0
    private let pieceByteCount: Int
    private let piece: UnsafeMutableRawBufferPointer
    private var pieceOffset = 0
    private var pieceEnd = 0

    init(_ source: ByteSource, pieceByteCount: Int = 256 << 10) throws(DataError) {
        name = source.name
        self.source = source
        self.pieceByteCount = max(2, pieceByteCount)
        piece = .allocate(byteCount: self.pieceByteCount, alignment: 16)
        do {
            pieceEnd = try source.read(into: piece)
        } catch {
            piece.deallocate()
            throw error
        }
        isGzip = pieceEnd >= 2 && piece[0] == 0x1f && piece[1] == 0x8b
        byteCountBound =
            isGzip
            ? source.byteCount.multipliedReportingOverflow(by: 1032).partialValue
            : source.byteCount
        guard isGzip else { return }
        // 15 bits of window, plus 16: gzip framing only.
        let status = inflateInit2_(
            &stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        isOpen = status == Z_OK
        guard isOpen else {
            throw DataError(file: name, problem: .unreadable(reason: "zlib cannot start"))
        }
    }

    deinit {
        if isOpen { inflateEnd(&stream) }
        piece.deallocate()
    }

    /// What gzip's trailer says of the unpacked size (modulo 2^32); nil for a plain file.
    var trailerByteCount: UInt32? {
        guard isGzip, let bytes = source.tail(4) else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Fills as much of `buffer` as there is; fewer bytes than its count only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let count = isGzip ? try unpack(into: buffer) : try copy(into: buffer)
        delivered += UInt64(count)
        return count
    }

    private func refill() throws(DataError) {
        guard pieceOffset == pieceEnd else { return }
        pieceEnd = try source.read(into: piece)
        pieceOffset = 0
    }

    private func copy(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        var filled = 0
        while filled < buffer.count {
            try refill()
            guard pieceEnd > 0 else { break }
            let count = min(buffer.count - filled, pieceEnd - pieceOffset)
            let range = pieceOffset..<(pieceOffset + count)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[range]))
            filled += count
            pieceOffset += count
        }
        return filled
    }

    private func unpack(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        guard let base = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let input = piece.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return 0 }
        var filled = 0
        while filled < buffer.count {
            try refill()
            if memberEnded {
                if pieceEnd == 0 { break }
                // A gzip file may be several streams one after another.
                inflateReset(&stream)
                memberEnded = false
            }
            guard pieceEnd > 0 else { throw corrupt("unexpected end of file", filled) }
            let room = min(buffer.count - filled, Int(Int32.max))
            stream.next_in = input + pieceOffset
            stream.avail_in = UInt32(pieceEnd - pieceOffset)
            stream.next_out = base + filled
            stream.avail_out = UInt32(room)
            let status = inflate(&stream, Z_NO_FLUSH)
            pieceOffset = pieceEnd - Int(stream.avail_in)
            filled += room - Int(stream.avail_out)
            switch status {
            case Z_OK: continue
            case Z_STREAM_END: memberEnded = true
            default:
                let reason = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
                throw corrupt(reason, filled)
            }
        }
        return filled
    }

    private func corrupt(_ reason: String, _ filled: Int) -> DataError {
        DataError(
            file: name,
            problem: .corruptGzip(reason: reason, offset: delivered + UInt64(filled)))
    }
}
