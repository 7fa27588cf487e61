// The data plane's frame: one segment of a collective, from a worker to the next one on the ring.
//
//     offset  0  magic "RNDF"         4        16..23  step             8
//             4  version              1        24..27  bucket           4
//             5  phase                1        28..31  chunk            4
//             6  reserved, zero       2        32..35  segment          4
//             8  generation           4        36..39  payload bytes    4
//            12  hop                  4        40..43  CRC-32 of 0..39  4
//
// All integers are little-endian. Sender and receiver derive the same schedule, so every field is
// known in advance; the header exists to notice that the two disagree (another generation, another
// step, a peer that restarted) before a wrong gradient is added.

/// The 44 bytes before each segment.
package struct FrameHeader: Hashable, Sendable {
    /// Bytes of an encoded header.
    package static let byteCount = 44
    /// The first four bytes as they appear on the wire: R N D F.
    package static let magic: UInt32 = 0x4644_4E52
    package static let version: UInt8 = 1

    /// What the segment is part of.
    package enum Phase: UInt8, Sendable, CaseIterable {
        /// A partial sum of an all-reduce; the receiver adds its replicas.
        case reduce = 1
        /// A finished sum of an all-reduce; the receiver stores it.
        case gather = 2
        case allGather = 3
        case broadcast = 4
        /// No payload: a token of a barrier.
        case barrier = 5
    }

    package var phase: Phase
    /// 1 for the first link on the chunk's path.
    package var hop: UInt32
    package var generation: UInt32
    package var step: UInt64
    package var bucket: UInt32
    package var chunk: UInt32
    /// Index of the segment within its chunk.
    package var segment: UInt32
    package var payloadByteCount: UInt32

    package init(
        phase: Phase, hop: UInt32, generation: UInt32, step: UInt64, bucket: UInt32, chunk: UInt32,
        segment: UInt32, payloadByteCount: UInt32
    ) {
        self.phase = phase
        self.hop = hop
        self.generation = generation
        self.step = step
        self.bucket = bucket
        self.chunk = chunk
        self.segment = segment
        self.payloadByteCount = payloadByteCount
    }

    /// Writes the header to the first `byteCount` bytes of `destination`.
    package func encode(into destination: UnsafeMutableRawBufferPointer) {
        var writer = ByteWriter(destination)
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.write(phase.rawValue)
        writer.write(UInt16(0))
        writer.write(generation)
        writer.write(hop)
        writer.write(step)
        writer.write(bucket)
        writer.write(chunk)
        writer.write(segment)
        writer.write(payloadByteCount)
        writer.write(CRC32.checksum(writer.written))
    }

    /// Reads a header and checks magic, version, checksum and phase, in this order, so that a
    /// stranger is called a stranger and not a damaged frame.
    package init(decoding source: UnsafeRawBufferPointer) throws(WireFormatError) {
        let structure = "frame header"
        var reader = ByteReader(source, structure: structure)
        let magic = try reader.read(UInt32.self)
        guard magic == Self.magic else {
            throw .wrongMagic(structure: structure, expected: Self.magic, got: magic)
        }
        let version = try reader.read(UInt8.self)
        guard version == Self.version else {
            throw .unsupportedVersion(
                structure: structure, expected: Int(Self.version), got: Int(version))
        }
        let phase = try reader.read(UInt8.self)
        let reserved = try reader.read(UInt16.self)
        generation = try reader.read()
        hop = try reader.read()
        step = try reader.read()
        bucket = try reader.read()
        chunk = try reader.read()
        segment = try reader.read()
        payloadByteCount = try reader.read()
        let covered = reader.offset
        let sent = try reader.read(UInt32.self)
        let computed = CRC32.checksum(UnsafeRawBufferPointer(rebasing: source[..<covered]))
        guard sent == computed else {
            throw .checksumMismatch(structure: structure, expected: computed, got: sent)
        }
        guard reserved == 0 else {
            throw .invalidField(structure: structure, field: "reserved field", got: "\(reserved)")
        }
        guard let known = Phase(rawValue: phase) else {
            throw .invalidField(structure: structure, field: "phase", got: "\(phase)")
        }
        self.phase = known
    }
}
