// Control frames arrive in pieces of any size, whole, damaged or from strangers.

import Testing
import WireFormat

@Suite struct ControlFrameTests {
    static func frames(seed: UInt64, count: Int) -> [ControlFrame] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let length = Int.random(in: 0...300, using: &generator)
            return ControlFrame(
                kind: Bool.random(using: &generator) ? .message : .blob,
                payload: (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) })
        }
    }

    static func drain(_ decoder: inout ControlFrameDecoder) throws -> [ControlFrame] {
        var frames: [ControlFrame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func anyCutOfTheStreamGivesTheSameFrames(seed: UInt64) throws {
        let sent = Self.frames(seed: seed, count: 20)
        let stream = try sent.flatMap { try $0.encoded() }
        var generator = SeededGenerator(seed: seed + 100)
        for longest in [1, 7, 64, stream.count] {
            var decoder = ControlFrameDecoder()
            var got: [ControlFrame] = []
            var position = 0
            while position < stream.count {
                let end = min(
                    stream.count, position + Int.random(in: 1...longest, using: &generator))
                decoder.append(Array(stream[position..<end]))
                got += try Self.drain(&decoder)
                position = end
            }
            #expect(got == sent, "seed \(seed), pieces up to \(longest)")
            #expect(decoder.pendingByteCount == 0)
        }
    }

    @Test func aCutFrameIsWaitedFor() throws {
        let bytes = try ControlFrame(kind: .message, payload: [1, 2, 3]).encoded()
        for count in 0..<bytes.count {
            var decoder = ControlFrameDecoder()
            decoder.append(Array(bytes.prefix(count)))
            #expect(try decoder.next() == nil)
            decoder.append(Array(bytes.dropFirst(count)))
            #expect(try decoder.next()?.payload == [1, 2, 3])
        }
    }

    @Test func everyFlippedBitIsNoticedAndTheStreamIsDead() throws {
        let frame = ControlFrame(kind: .blob, payload: Array(0..<40))
        let bytes = try frame.encoded()
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            var decoder = ControlFrameDecoder()
            decoder.append(damaged)
            var first: WireFormatError?
            do throws(WireFormatError) { _ = try decoder.next() } catch { first = error }
            let error = try #require(first, "bit \(bit)")
            decoder.append(bytes)
            #expect(throws: error) { try decoder.next() }
            #expect(decoder.pendingByteCount == 0)
        }
    }

    @Test func strangersShowInTheirFirstByte() {
        var decoder = ControlFrameDecoder()
        decoder.append(Array("G".utf8))
        #expect(throws: WireFormatError.self) { try decoder.next() }
        decoder = ControlFrameDecoder()
        decoder.append(Array("RNDX".utf8))
        #expect(
            throws: WireFormatError.wrongMagic(
                structure: "control frame", expected: ControlFrame.magic, got: 0x5844_4E52)
        ) { try decoder.next() }
    }

    @Test func lengthsAreBounded() throws {
        let longest = ControlFrame(
            kind: .blob, payload: [UInt8](repeating: 5, count: ControlFrame.payloadByteCountLimit))
        var decoder = ControlFrameDecoder()
        decoder.append(try longest.encoded())
        #expect(try decoder.next() == longest)
        let tooLong = ControlFrame(kind: .blob, payload: longest.payload + [0])
        #expect(
            throws: WireFormatError.tooLong(
                structure: "control frame", limit: 1 << 20, got: (1 << 20) + 1)
        ) { try tooLong.encoded() }
        // A peer that announces too much, with valid checksums, is refused before it sends it.
        var header = Array(try ControlFrame(kind: .blob, payload: []).encoded())
        header[11] = 0x80
        let checksum = CRC32.checksum(Array(header[..<16]))
        for index in 0..<4 {
            header[16 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
        }
        decoder = ControlFrameDecoder()
        decoder.append(header)
        #expect(
            throws: WireFormatError.tooLong(
                structure: "control frame", limit: 1 << 20, got: 0x8000_0000)
        ) { try decoder.next() }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func noiseNeverTraps(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var stream = try Self.frames(seed: seed, count: 6).flatMap { try $0.encoded() }
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let place = Int.random(in: 0..<stream.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: stream[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: stream.remove(at: place)
            default: stream.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            }
        }
        var decoder = ControlFrameDecoder()
        decoder.append(stream)
        let intact = Self.frames(seed: seed, count: 6)
        var got: [ControlFrame] = []
        do {
            while let frame = try decoder.next() { got.append(frame) }
        } catch {
            #expect(!error.description.isEmpty)
        }
        // Whatever came out before the damage is what was sent.
        #expect(got == Array(intact.prefix(got.count)), "seed \(seed)")
    }
}
