// The control plane's frame: a message (JSON) or a blob (a piece of a checkpoint file).
//
//     offset  0  magic "RNDC"          4        8..11   payload bytes        4
//             4  version               2       12..15   CRC-32 of payload    4
//             6  kind                  1       16..19   CRC-32 of 0..15      4
//             7  reserved, zero        1       20...    payload
//
// All integers are little-endian. The header has a checksum of its own because a damaged length
// would otherwise make the receiver wait for bytes that never come.

/// One framed message or blob between a worker and the coordinator.
package struct ControlFrame: Hashable, Sendable {
    /// Bytes before the payload.
    package static let headerByteCount = 20
    /// Longest payload: a bound on what a peer can make the receiver store.
    package static let payloadByteCountLimit = 1 << 20
    /// The first four bytes as they appear on the wire: R N D C.
    package static let magic: UInt32 = 0x4344_4E52
    package static let version: UInt16 = 1

    package enum Kind: UInt8, Sendable {
        case message = 1
        case blob = 2
    }

    package let kind: Kind
    package let payload: [UInt8]

    package init(kind: Kind, payload: [UInt8]) {
        self.kind = kind
        self.payload = payload
    }

    /// Header and payload, ready to send.
    ///
    /// - Throws: `tooLong` when the payload exceeds `payloadByteCountLimit`.
    package func encoded() throws(WireFormatError) -> [UInt8] {
        guard payload.count <= Self.payloadByteCountLimit else {
            throw .tooLong(
                structure: "control frame", limit: Self.payloadByteCountLimit, got: payload.count)
        }
        var header = [UInt8](repeating: 0, count: Self.headerByteCount)
        header.withUnsafeMutableBytes { destination in
            var writer = ByteWriter(destination)
            writer.write(Self.magic)
            writer.write(Self.version)
            writer.write(kind.rawValue)
            writer.write(UInt8(0))
            writer.write(UInt32(payload.count))
            writer.write(CRC32.checksum(payload))
            writer.write(CRC32.checksum(writer.written))
        }
        return header + payload
    }
}
