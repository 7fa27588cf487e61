// Headers and handshakes: what is written is read back, and nothing else is.

import Testing
import WireFormat

/// A small seeded generator (SplitMix64), so that a failure repeats from its printed seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

func encoded(_ header: FrameHeader) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
    bytes.withUnsafeMutableBytes { header.encode(into: $0) }
    return bytes
}

func decodedHeader(_ bytes: [UInt8]) throws -> FrameHeader {
    try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
}

@Suite struct CRC32Tests {
    @Test func knownAnswers() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(CRC32.checksum([]) == 0)
        #expect(CRC32.checksum([0]) == 0xD202_EF8D)
    }
}

@Suite struct FrameHeaderTests {
    static let example = FrameHeader(
        phase: .gather, hop: 7, generation: 3, step: 0x0102_0304_0506_0708, bucket: 9, chunk: 10,
        segment: 11, payloadByteCount: 262_144)

    @Test func layoutIsAsDocumented() {
        let bytes = encoded(Self.example)
        #expect(Array(bytes[0..<8]) == Array("RNDF".utf8) + [1, 2, 0, 0])
        #expect(Array(bytes[8..<16]) == [3, 0, 0, 0, 7, 0, 0, 0])
        #expect(Array(bytes[16..<24]) == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(Array(bytes[24..<40]) == [9, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 0, 0, 4, 0])
    }

    @Test func extremesRoundTrip() throws {
        for phase in FrameHeader.Phase.allCases {
            let largest = FrameHeader(
                phase: phase, hop: .max, generation: .max, step: .max, bucket: .max, chunk: .max,
                segment: .max, payloadByteCount: .max)
            #expect(try decodedHeader(encoded(largest)) == largest)
        }
        #expect(try decodedHeader(encoded(Self.example)) == Self.example)
    }

    @Test func everyCutIsTruncation() {
        let bytes = encoded(Self.example)
        for count in 0..<FrameHeader.byteCount {
            do {
                _ = try decodedHeader(Array(bytes.prefix(count)))
                Issue.record("\(count) bytes were taken for a header")
            } catch let error as WireFormatError {
                guard case .truncated(_, _, count) = error else {
                    Issue.record("cut at \(count): \(error)")
                    continue
                }
            } catch {
                Issue.record("cut at \(count): \(error)")
            }
        }
    }

    @Test func everyFlippedBitIsNoticed() {
        for bit in 0..<FrameHeader.byteCount * 8 {
            var bytes = encoded(Self.example)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: WireFormatError.self, "bit \(bit)") { try decodedHeader(bytes) }
        }
    }

    @Test func strangersAndOtherVersionsAreNamed() {
        var bytes = encoded(Self.example)
        bytes[4] = 9
        #expect(
            throws: WireFormatError.unsupportedVersion(
                structure: "frame header", expected: 1, got: 9)
        ) { try decodedHeader(bytes) }
        let http = Array("GET / HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n".utf8)
        #expect(
            throws: WireFormatError.wrongMagic(
                structure: "frame header", expected: FrameHeader.magic, got: 0x2054_4547)
        ) { try decodedHeader(http) }
    }

    @Test func anUnknownPhaseWithAValidChecksumIsRefused() {
        var bytes = encoded(Self.example)
        bytes[5] = 6
        let checksum = CRC32.checksum(Array(bytes[..<40]))
        for index in 0..<4 {
            bytes[40 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
        }
        #expect(
            throws: WireFormatError.invalidField(
                structure: "frame header", field: "phase", got: "6")
        ) { try decodedHeader(bytes) }
    }

    @Test func errorsReadWell() {
        #expect(
            WireFormatError.wrongMagic(
                structure: "frame header", expected: FrameHeader.magic, got: 0x2054_4547
            ).description
                == "frame header starts with 0x20544547, expected 0x46444e52: "
                + "the peer is not a Rondo process")
    }
}

@Suite struct FrameHandshakeTests {
    static let example = FrameHandshake(
        generation: 4, rank: 2, worldSize: 3, segmentByteCount: 262_144, dealChecksum: 99,
        token: "run-é-4711")

    @Test func roundTrips() throws {
        let bytes = try Self.example.encoded()
        #expect(bytes.count == FrameHandshake.byteCount)
        #expect(try FrameHandshake(decoding: bytes) == Self.example)
        var longest = Self.example
        longest.token = String(repeating: "x", count: FrameHandshake.tokenByteCountLimit)
        #expect(try FrameHandshake(decoding: try longest.encoded()) == longest)
        longest.token += "x"
        #expect(throws: WireFormatError.tooLong(structure: "ring token", limit: 64, got: 65)) {
            try longest.encoded()
        }
    }

    @Test func whatIsSharedTravelsAlong() throws {
        let all: [FrameHandshake.Sharing] = [
            .none, .taken,
            .offered(processID: .max, descriptor: 7, firstKey: .max - 1, secondKey: 1 << 40),
        ]
        for sharing in all {
            var handshake = Self.example
            handshake.sharing = sharing
            handshake.token = String(repeating: "x", count: FrameHandshake.tokenByteCountLimit)
            #expect(try FrameHandshake(decoding: handshake.encoded()) == handshake)
        }
        var bytes = try Self.example.encoded()
        bytes[28] = 3
        let checksum = CRC32.checksum(Array(bytes[..<124]))
        for index in 0..<4 {
            bytes[124 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
        }
        #expect(
            throws: WireFormatError.invalidField(
                structure: "ring handshake", field: "sharing", got: "3")
        ) { try FrameHandshake(decoding: bytes) }
    }

    @Test func cutsAndFlippedBitsAreNoticed() throws {
        let bytes = try Self.example.encoded()
        for count in 0..<bytes.count {
            #expect(throws: WireFormatError.self, "cut at \(count)") {
                try FrameHandshake(decoding: Array(bytes.prefix(count)))
            }
        }
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: WireFormatError.self, "bit \(bit)") {
                try FrameHandshake(decoding: damaged)
            }
        }
    }

    @Test func dealsHaveDifferentChecksums() throws {
        let deals = try [[0..<1, 1..<4], [0..<2, 2..<4], [0..<3, 3..<4], [0..<4]].map {
            try ReplicaDeal(ranges: $0)
        }
        #expect(Set(deals.map { FrameHandshake.dealChecksum($0) }).count == deals.count)
    }
}
