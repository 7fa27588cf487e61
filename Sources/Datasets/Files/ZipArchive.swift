// ZIP archives, as far as data come in them: entries that are stored or deflated, with 64-bit sizes
// where an archive has them. Only the directory at the end is read at first; the bytes of an entry
// are unpacked as they are asked for.
//
// An archive is outside input: sizes are checked against the file's before anything is allocated
// for them, and an entry's bytes against its CRC.

import CZlib

/// What bytes are read from, one after another: a file, or an entry of an archive.
protocol ByteStream: AnyObject {
    /// Names the bytes in errors.
    var name: String { get }
    /// All bytes, as far as the file tells beforehand.
    var byteCount: UInt64 { get }
    /// Fills as much of `buffer` as there is; fewer bytes than its count only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int
}

extension ByteSource: ByteStream {}

/// The directory of an archive, and the file to read entries from.
final class ZipArchive {
    /// A line of the directory.
    struct Entry {
        let name: String
        fileprivate let isEncrypted: Bool
        fileprivate let method: UInt64
        fileprivate let checksum: UInt64
        fileprivate let packedByteCount: UInt64
        fileprivate let byteCount: UInt64
        /// Where the entry's own header begins.
        fileprivate let offset: UInt64
    }

    private enum Signature {
        static let entry: UInt64 = 0x0403_4b50
        static let directoryEntry: UInt64 = 0x0201_4b50
        static let end: UInt64 = 0x0605_4b50
        static let end64: UInt64 = 0x0606_4b50
        static let locator64: UInt64 = 0x0706_4b50
    }

    private static let byteCountLimit: UInt64 = 64 << 30
    private static let directoryByteCountLimit: UInt64 = 16 << 20
    /// From this size on an entry must not be packed better than any real data are.
    private static let suspiciousByteCount: UInt64 = 256 << 20
    private static let packingLimit: UInt64 = 256
    /// Deflate packs at most that many bytes into one.
    private static let deflateLimit: UInt64 = 1032

    let entries: [Entry]
    private let source: ByteSource
    /// Entries lie before the directory.
    private let directoryOffset: UInt64

    /// Whether a file begins as an archive does.
    static func begins(_ source: ByteSource) throws(DataError) -> Bool {
        try source.bytes(at: 0, count: 4).starts(with: [0x50, 0x4b])
    }

    init(_ source: ByteSource) throws(DataError) {
        self.source = source
        let directory = try Self.directory(of: source)
        directoryOffset = directory.offset
        entries = try Self.entries(
            try source.bytes(at: directory.offset, count: Int(directory.byteCount)),
            count: directory.entryCount, file: source.name)
    }

    private struct Directory {
        let offset: UInt64
        let byteCount: UInt64
        let entryCount: UInt64
    }

    /// Where the directory is, from the record at the file's end, which a comment may follow.
    private static func directory(of source: ByteSource) throws(DataError) -> Directory {
        let recordByteCount = 22
        let tailByteCount = Int(min(source.byteCount, UInt64(recordByteCount + 0xffff)))
        let tailOffset = source.byteCount - UInt64(tailByteCount)
        let tail = try source.bytes(at: tailOffset, count: tailByteCount)
        let start = stride(from: tail.count - recordByteCount, through: 0, by: -1).first {
            tail.number($0, 4) == Signature.end
                && $0 + recordByteCount + Int(tail.number($0 + 20, 2)) == tail.count
        }
        guard let start else {
            throw source.damaged("the archive's directory is missing, as if the file were cut off")
        }
        let end = tailOffset + UInt64(start)
        let record = Array(tail[start..<(start + recordByteCount)])
        var isWhole = record.number(4, 4) == 0
        var directory = Directory(
            offset: record.number(16, 4), byteCount: record.number(12, 4),
            entryCount: record.number(10, 2))
        var limit = end
        if end >= 20, case let locator = try source.bytes(at: end - 20, count: 20),
            locator.number(0, 4) == Signature.locator64
        {
            let offset = locator.number(8, 8)
            guard end >= 76, offset <= end - 76,
                case let record = try source.bytes(at: offset, count: 56),
                record.number(0, 4) == Signature.end64
            else { throw source.damaged("the archive's 64-bit directory is missing") }
            isWhole = record.number(16, 8) == 0 && locator.number(16, 4) <= 1
            directory = Directory(
                offset: record.number(48, 8), byteCount: record.number(40, 8),
                entryCount: record.number(32, 8))
            limit = offset
        }
        guard isWhole else { throw source.damaged("the archive is one part of several") }
        guard directory.offset <= limit, directory.byteCount <= limit - directory.offset else {
            throw source.damaged("the archive's directory is said to lie outside the file")
        }
        guard directory.byteCount <= directoryByteCountLimit else {
            throw DataError(
                file: source.name,
                problem: .tooLarge(
                    byteCount: directory.byteCount, limit: directoryByteCountLimit))
        }
        return directory
    }

    private static func entries(
        _ bytes: [UInt8], count: UInt64, file: String
    ) throws(DataError) -> [Entry] {
        let fixedByteCount = 46
        var entries: [Entry] = []
        var start = 0
        while start < bytes.count {
            guard start + fixedByteCount <= bytes.count,
                bytes.number(start, 4) == Signature.directoryEntry
            else { break }
            let nameEnd = start + fixedByteCount + Int(bytes.number(start + 28, 2))
            let extraEnd = nameEnd + Int(bytes.number(start + 30, 2))
            let end = extraEnd + Int(bytes.number(start + 32, 2))
            guard end <= bytes.count else { break }
            var long = LongSizes(bytes[nameEnd..<extraEnd])
            let byteCount = long.replace(bytes.number(start + 24, 4))
            let packedByteCount = long.replace(bytes.number(start + 20, 4))
            let offset = long.replace(bytes.number(start + 42, 4))
            entries.append(
                Entry(
                    name: String(
                        decoding: bytes[(start + fixedByteCount)..<nameEnd], as: UTF8.self),
                    isEncrypted: bytes.number(start + 8, 2) & 1 != 0,
                    method: bytes.number(start + 10, 2), checksum: bytes.number(start + 16, 4),
                    packedByteCount: packedByteCount, byteCount: byteCount, offset: offset))
            start = end
        }
        guard start == bytes.count, UInt64(entries.count) == count else {
            throw DataError(
                file: file, problem: .unreadable(reason: "the archive's directory is damaged"))
        }
        return entries
    }

    /// The bytes of an entry; `name` stands for them in errors.
    func open(_ entry: Entry, name: String) throws(DataError) -> ZipEntryStream {
        func damaged(_ reason: String) -> DataError {
            DataError(file: name, problem: .unreadable(reason: reason))
        }
        guard !entry.isEncrypted else { throw damaged("it is encrypted") }
        guard entry.method == 0 || entry.method == UInt64(Z_DEFLATED) else {
            throw damaged(
                "it is packed by method \(entry.method), but only stored and deflated arrays can "
                    + "be read; save the archive with np.savez")
        }
        let header = try source.bytes(at: entry.offset, count: 30)
        guard header.count == 30, header.number(0, 4) == Signature.entry,
            header.number(8, 2) == entry.method
        else { throw damaged("the archive's entry is not where its directory says") }
        // The header is there, so its offset is below the file's size and the sum cannot overflow.
        let offset = entry.offset + 30 + header.number(26, 2) + header.number(28, 2)
        guard offset <= directoryOffset, entry.packedByteCount <= directoryOffset - offset else {
            throw damaged("the archive's entry is longer than the file has room for")
        }
        try checkSize(entry, name: name)
        return try ZipEntryStream(
            source, offset: offset, packedByteCount: entry.packedByteCount,
            byteCount: entry.byteCount, checksum: entry.checksum,
            isDeflated: entry.method != 0, name: name)
    }

    private func checkSize(_ entry: Entry, name: String) throws(DataError) {
        guard entry.byteCount <= Self.byteCountLimit else {
            throw DataError(
                file: name,
                problem: .tooLarge(byteCount: entry.byteCount, limit: Self.byteCountLimit))
        }
        let packing = entry.method == 0 ? 1 : Self.deflateLimit
        guard entry.byteCount / packing <= entry.packedByteCount else {
            throw DataError(
                file: name,
                problem: .truncated(
                    expected: entry.byteCount, got: entry.packedByteCount &* packing))
        }
        guard
            entry.byteCount <= Self.suspiciousByteCount
                || entry.byteCount / Self.packingLimit <= entry.packedByteCount
        else {
            throw DataError(
                file: name,
                problem: .unreadable(
                    reason: "\(entry.byteCount) bytes are packed into \(entry.packedByteCount), "
                        + "as no real data are; if they are, save the archive with np.savez"))
        }
    }
}

/// The 64-bit numbers of a directory entry: an extra field has them where 32 bits do not suffice.
private struct LongSizes {
    private var numbers: [UInt64] = []

    init(_ extra: ArraySlice<UInt8>) {
        var rest = Array(extra)
        while rest.count >= 4 {
            let byteCount = Int(rest.number(2, 2))
            guard rest.count >= 4 + byteCount else { return }
            if rest.number(0, 2) == 1 {
                numbers = stride(from: 4, through: 4 + byteCount - 8, by: 8).map {
                    rest.number($0, 8)
                }.reversed()
                return
            }
            rest.removeFirst(4 + byteCount)
        }
    }

    /// The next of them when `number` says that it is there.
    mutating func replace(_ number: UInt64) -> UInt64 {
        number == 0xffff_ffff ? numbers.popLast() ?? number : number
    }
}

/// The unpacked bytes of an archive's entry. The end is reached only if length and CRC are right.
final class ZipEntryStream: ByteStream {
    let name: String
    let byteCount: UInt64
    private let source: ByteSource
    private let checksum: UInt64
    private let isDeflated: Bool
    private var stream = z_stream()
    private var isOpen = false
    private var packedEnded = false
    /// The packed bytes that are still in the file.
    private var rest: Range<UInt64>
    private var piece: [UInt8] = []
    private var pieceOffset = 0
    private var delivered: UInt64 = 0
    private var sum: UInt = 0

    fileprivate init(
        _ source: ByteSource, offset: UInt64, packedByteCount: UInt64, byteCount: UInt64,
        checksum: UInt64, isDeflated: Bool, name: String
    ) throws(DataError) {
        self.source = source
        self.byteCount = byteCount
        self.checksum = checksum
        self.isDeflated = isDeflated
        self.name = name
        rest = offset..<(offset + packedByteCount)
        guard isDeflated else { return }
        // 15 bits of window; negative: deflate without a frame.
        let status = inflateInit2_(
            &stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        isOpen = status == Z_OK
        guard isOpen else { throw damaged("zlib cannot start") }
    }

    deinit {
        if isOpen { inflateEnd(&stream) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = isDeflated ? try unpack(into: room) : try copy(into: room)
            guard count > 0 else { break }
            filled += count
        }
        try check(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        if filled < buffer.count {
            guard delivered == byteCount else {
                throw DataError(
                    file: name, problem: .truncated(expected: byteCount, got: delivered))
            }
            guard UInt64(sum) == checksum else {
                throw damaged("its bytes do not agree with their checksum; fetch the file again")
            }
        }
        return filled
    }

    /// Adds bytes to the checksum.
    private func check(_ bytes: UnsafeRawBufferPointer) throws(DataError) {
        delivered += UInt64(bytes.count)
        guard delivered <= byteCount else {
            throw DataError(file: name, problem: .trailingBytes(expected: byteCount))
        }
        var start = 0
        while start < bytes.count {
            let count = min(bytes.count - start, 1 << 30)
            let first = bytes.baseAddress?.advanced(by: start)
            sum = crc32(sum, first?.assumingMemoryBound(to: UInt8.self), UInt32(count))
            start += count
        }
    }

    private func copy(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let wanted = Int(min(UInt64(buffer.count), UInt64(rest.count)))
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        let count = try source.read(at: rest.lowerBound, into: room)
        rest = (rest.lowerBound + UInt64(count))..<rest.upperBound
        return count
    }

    private func refill() throws(DataError) {
        guard pieceOffset == piece.count else { return }
        piece = try source.bytes(
            at: rest.lowerBound, count: Int(min(256 << 10, rest.upperBound - rest.lowerBound)))
        pieceOffset = 0
        rest = (rest.lowerBound + UInt64(piece.count))..<rest.upperBound
    }

    /// Unpacks some bytes; none only at the end.
    private func unpack(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let room = min(buffer.count, Int(Int32.max))
        let output = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        while !packedEnded {
            try refill()
            guard pieceOffset < piece.count else {
                throw damaged("its packed bytes end too early; fetch the file again")
            }
            let status = piece.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress?.advanced(by: pieceOffset)
                stream.avail_in = UInt32(input.count - pieceOffset)
                stream.next_out = output
                stream.avail_out = UInt32(room)
                return inflate(&stream, Z_NO_FLUSH)
            }
            pieceOffset = piece.count - Int(stream.avail_in)
            packedEnded = status == Z_STREAM_END
            guard status == Z_OK || packedEnded else {
                let reason = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
                throw damaged("its packed bytes are damaged (\(reason)); fetch the file again")
            }
            let count = room - Int(stream.avail_out)
            if count > 0 { return count }
        }
        return 0
    }

    private func damaged(_ reason: String) -> DataError {
        DataError(file: name, problem: .unreadable(reason: reason))
    }
}

extension ByteSource {
    /// Bytes from anywhere in the file; fewer than `count` only at its end.
    fileprivate func bytes(at offset: UInt64, count: Int) throws(DataError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try bytes.fill { buffer throws(DataError) in
            try read(at: offset, into: buffer)
        }
        bytes.removeLast(count - got)
        return bytes
    }

    fileprivate func damaged(_ reason: String) -> DataError {
        DataError(file: name, problem: .unreadable(reason: reason))
    }
}

extension [UInt8] {
    /// Has the memory of the bytes filled, however far.
    /// - Returns: what `body` returns: the number of filled bytes.
    mutating func fill(
        _ body: (UnsafeMutableRawBufferPointer) throws(DataError) -> Int
    ) throws(DataError) -> Int {
        let result = withUnsafeMutableBytes { buffer -> Result<Int, DataError> in
            do throws(DataError) {
                return .success(try body(buffer))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// A little-endian number; 0 where the bytes are not there.
    fileprivate func number(_ offset: Int, _ byteCount: Int) -> UInt64 {
        guard offset >= 0, offset + byteCount <= count else { return 0 }
        return self[offset..<(offset + byteCount)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
