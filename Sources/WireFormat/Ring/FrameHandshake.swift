// The first thing on a new ring link, in both directions: who is calling and for which membership.
// The caller sends one, the called worker answers with its own. Everything that two neighbours must
// agree on to exchange segments is in it, so that a disagreement is found before the first step.
// The size is fixed: a stranger cannot make the called worker wait for or store more than that.

/// 128 bytes that open a ring link.
package struct FrameHandshake: Hashable, Sendable {
    /// Bytes of an encoded handshake.
    package static let byteCount = 128
    /// The first four bytes as they appear on the wire: R N D H.
    package static let magic: UInt32 = 0x4844_4E52
    package static let version: UInt16 = 2
    /// Longest token in UTF-8 bytes.
    package static let tokenByteCountLimit = 64

    package var generation: UInt32
    /// The sender's rank.
    package var rank: UInt32
    package var worldSize: UInt32
    package var segmentByteCount: UInt32
    /// `dealChecksum(_:)` of the deal that the sender works with.
    package var dealChecksum: UInt32
    /// The run's secret: keeps workers of different runs on the same hosts apart.
    package var token: String
    /// Whether the link's bytes go through memory that both workers share.
    package var sharing: Sharing

    package enum Sharing: Hashable, Sendable {
        case none
        /// By the caller: memory that it has made, and where a process of the same host finds it.
        case offered(processID: UInt32, descriptor: UInt32, firstKey: UInt64, secondKey: UInt64)
        /// By the called worker, which has found that memory.
        case taken
    }

    package init(
        generation: UInt32, rank: UInt32, worldSize: UInt32, segmentByteCount: UInt32,
        dealChecksum: UInt32, token: String, sharing: Sharing = .none
    ) {
        self.generation = generation
        self.rank = rank
        self.worldSize = worldSize
        self.segmentByteCount = segmentByteCount
        self.dealChecksum = dealChecksum
        self.token = token
        self.sharing = sharing
    }

    /// A fingerprint of a deal: equal deals give equal values.
    package static func dealChecksum(_ deal: ReplicaDeal) -> UInt32 {
        var bytes: [UInt8] = []
        for range in deal.ranges {
            withUnsafeBytes(of: UInt32(range.upperBound).littleEndian) {
                bytes.append(contentsOf: $0)
            }
        }
        return CRC32.checksum(bytes)
    }

    /// - Throws: `tooLong` when the token has more than `tokenByteCountLimit` bytes.
    package func encoded() throws(WireFormatError) -> [UInt8] {
        let tokenBytes = Array(token.utf8)
        guard tokenBytes.count <= Self.tokenByteCountLimit else {
            throw .tooLong(
                structure: "ring token", limit: Self.tokenByteCountLimit, got: tokenBytes.count)
        }
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.withUnsafeMutableBytes { destination in
            var writer = ByteWriter(destination)
            writer.write(Self.magic)
            writer.write(Self.version)
            writer.write(UInt16(tokenBytes.count))
            writer.write(generation)
            writer.write(rank)
            writer.write(worldSize)
            writer.write(segmentByteCount)
            writer.write(dealChecksum)
            switch sharing {
            case .none: writer.write(UInt32(0))
            case .offered: writer.write(UInt32(1))
            case .taken: writer.write(UInt32(2))
            }
            var location: (UInt32, UInt32, UInt64, UInt64) = (0, 0, 0, 0)
            if case .offered(let process, let descriptor, let first, let second) = sharing {
                location = (process, descriptor, first, second)
            }
            writer.write(location.0)
            writer.write(location.1)
            writer.write(location.2)
            writer.write(location.3)
            writer.write(bytes: tokenBytes)
            let covered = Self.byteCount - MemoryLayout<UInt32>.size
            let checksum = CRC32.checksum(UnsafeRawBufferPointer(rebasing: destination[..<covered]))
            destination.storeBytes(
                of: checksum.littleEndian, toByteOffset: covered, as: UInt32.self)
        }
        return bytes
    }

    package init(decoding bytes: [UInt8]) throws(WireFormatError) {
        // Typed throws do not pass through withUnsafeBytes in one piece, hence the Result.
        let result = bytes.withUnsafeBytes { source in
            Result { () throws(WireFormatError) in try FrameHandshake(source: source) }
        }
        self = try result.get()
    }

    private init(source: UnsafeRawBufferPointer) throws(WireFormatError) {
        let structure = "ring handshake"
        var reader = ByteReader(source, structure: structure)
        let magic = try reader.read(UInt32.self)
        guard magic == Self.magic else {
            throw .wrongMagic(structure: structure, expected: Self.magic, got: magic)
        }
        let version = try reader.read(UInt16.self)
        guard version == Self.version else {
            throw .unsupportedVersion(
                structure: structure, expected: Int(Self.version), got: Int(version))
        }
        guard source.count >= Self.byteCount else {
            throw .truncated(
                structure: structure, needed: Self.byteCount, available: source.count)
        }
        let tokenByteCount = Int(try reader.read(UInt16.self))
        generation = try reader.read()
        rank = try reader.read()
        worldSize = try reader.read()
        segmentByteCount = try reader.read()
        dealChecksum = try reader.read()
        let sharingNumber = try reader.read(UInt32.self)
        let location = (
            try reader.read(UInt32.self), try reader.read(UInt32.self),
            try reader.read(UInt64.self), try reader.read(UInt64.self)
        )
        let covered = Self.byteCount - MemoryLayout<UInt32>.size
        let sent = UInt32(
            littleEndian: source.loadUnaligned(fromByteOffset: covered, as: UInt32.self))
        let computed = CRC32.checksum(UnsafeRawBufferPointer(rebasing: source[..<covered]))
        guard sent == computed else {
            throw .checksumMismatch(structure: structure, expected: computed, got: sent)
        }
        guard tokenByteCount <= Self.tokenByteCountLimit else {
            throw .tooLong(
                structure: "ring token", limit: Self.tokenByteCountLimit, got: tokenByteCount)
        }
        switch sharingNumber {
        case 0: sharing = .none
        case 1:
            sharing = .offered(
                processID: location.0, descriptor: location.1, firstKey: location.2,
                secondKey: location.3)
        case 2: sharing = .taken
        default:
            throw .invalidField(structure: structure, field: "sharing", got: "\(sharingNumber)")
        }
        guard let text = String(validating: try reader.readBytes(tokenByteCount), as: UTF8.self)
        else {
            throw .invalidField(structure: structure, field: "token", got: "bytes not in UTF-8")
        }
        token = text
    }
}
