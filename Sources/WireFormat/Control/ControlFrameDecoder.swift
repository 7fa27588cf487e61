// Bytes arrive from a socket in pieces of any size; frames come out. The decoder judges a peer as
// early as the bytes allow (a wrong first byte is enough), so that a stranger is turned away
// without being waited for, and it holds at most one unfinished frame plus the last piece.

/// Turns pieces of a byte stream into control frames.
///
/// Append what was received, then call `next()` until it returns nil. After an error the stream has
/// no meaning any more: every later call throws the same error.
package struct ControlFrameDecoder: Sendable {
    private var pending: [UInt8] = []
    /// Bytes at the front of `pending` that were already handed out as frames.
    private var consumedByteCount = 0
    private var failure: WireFormatError?

    package init() {}

    /// Bytes received and not yet handed out.
    package var pendingByteCount: Int { pending.count - consumedByteCount }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        if consumedByteCount > 0 {
            pending.removeFirst(consumedByteCount)
            consumedByteCount = 0
        }
        pending.append(contentsOf: bytes)
    }

    package mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// The next complete frame, or nil when more bytes are needed.
    package mutating func next() throws(WireFormatError) -> ControlFrame? {
        if let failure { throw failure }
        do {
            return try decodeNext()
        } catch {
            failure = error
            pending = []
            consumedByteCount = 0
            throw error
        }
    }

    private mutating func decodeNext() throws(WireFormatError) -> ControlFrame? {
        try checkMagicSoFar()
        guard pendingByteCount >= ControlFrame.headerByteCount else { return nil }
        let header = try decodeHeader()
        let payloadStart = consumedByteCount + ControlFrame.headerByteCount
        guard pending.count - payloadStart >= header.payloadByteCount else { return nil }
        let payload = Array(pending[payloadStart..<payloadStart + header.payloadByteCount])
        let computed = CRC32.checksum(payload)
        guard computed == header.payloadChecksum else {
            throw .checksumMismatch(
                structure: "control frame", expected: computed, got: header.payloadChecksum)
        }
        consumedByteCount = payloadStart + header.payloadByteCount
        return ControlFrame(kind: header.kind, payload: payload)
    }

    private func checkMagicSoFar() throws(WireFormatError) {
        let available = min(MemoryLayout<UInt32>.size, pendingByteCount)
        var got: UInt32 = 0
        for index in 0..<available {
            got |= UInt32(pending[consumedByteCount + index]) << (8 * UInt32(index))
        }
        let mask: UInt32 = available == 4 ? .max : (1 << (8 * UInt32(available))) - 1
        guard got == ControlFrame.magic & mask else {
            throw .wrongMagic(
                structure: "control frame", expected: ControlFrame.magic, got: got)
        }
    }

    private struct Header {
        let kind: ControlFrame.Kind
        let payloadByteCount: Int
        let payloadChecksum: UInt32
    }

    private func decodeHeader() throws(WireFormatError) -> Header {
        let end = consumedByteCount + ControlFrame.headerByteCount
        let bytes = Array(pending[consumedByteCount..<end])
        let result = bytes.withUnsafeBytes { source in
            Result { () throws(WireFormatError) in try Self.decodeHeader(source) }
        }
        return try result.get()
    }

    private static func decodeHeader(
        _ source: UnsafeRawBufferPointer
    ) throws(WireFormatError) -> Header {
        let structure = "control frame"
        var reader = ByteReader(source, structure: structure)
        _ = try reader.read(UInt32.self)
        let version = try reader.read(UInt16.self)
        guard version == ControlFrame.version else {
            throw .unsupportedVersion(
                structure: structure, expected: Int(ControlFrame.version), got: Int(version))
        }
        let kind = try reader.read(UInt8.self)
        let reserved = try reader.read(UInt8.self)
        let payloadByteCount = Int(try reader.read(UInt32.self))
        let payloadChecksum = try reader.read(UInt32.self)
        let covered = UnsafeRawBufferPointer(rebasing: source[..<reader.offset])
        let sent = try reader.read(UInt32.self)
        let computed = CRC32.checksum(covered)
        guard sent == computed else {
            throw .checksumMismatch(structure: structure, expected: computed, got: sent)
        }
        guard let known = ControlFrame.Kind(rawValue: kind) else {
            throw .invalidField(structure: structure, field: "kind", got: "\(kind)")
        }
        guard reserved == 0 else {
            throw .invalidField(structure: structure, field: "reserved byte", got: "\(reserved)")
        }
        guard payloadByteCount <= ControlFrame.payloadByteCountLimit else {
            throw .tooLong(
                structure: structure, limit: ControlFrame.payloadByteCountLimit,
                got: payloadByteCount)
        }
        return Header(
            kind: known, payloadByteCount: payloadByteCount, payloadChecksum: payloadChecksum)
    }
}
