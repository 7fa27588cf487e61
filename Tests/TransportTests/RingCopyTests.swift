// How bytes get into a ring in shared memory.

import CTransport
import Testing
import Transport

@Suite struct RingCopyTests {
    /// Every position of source and destination within a line, lengths around the borders of lines.
    @Test func streamingCopiesExactlyWhatItShould() {
        let room = 64 * 8
        let source = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
        for offset in 0..<64 {
            for byteCount in [0, 1, 63, 64, 65, 127, 128, 200, 300] {
                let from = (offset * 5) % 64
                var target = [UInt8](repeating: 0, count: room)
                source.withUnsafeBytes { source in
                    target.withUnsafeMutableBytes { target in
                        guard let to = target.baseAddress, let start = source.baseAddress else {
                            return
                        }
                        rondo_ring_stream(to + offset, start + from, byteCount)
                    }
                }
                var expected = [UInt8](repeating: 0, count: room)
                for index in 0..<byteCount { expected[offset + index] = source[from + index] }
                #expect(target == expected, "\(byteCount) bytes from \(from) to \(offset)")
            }
        }
    }

    /// How many copies stream before the next plain one.
    private func streamed(_ choice: inout CopyChoice) -> Int {
        var count = 0
        while choice.streams() { count += 1 }
        return count
    }

    @Test func copiesStreamWhilePlainOnesCrawl() {
        var choice = CopyChoice()
        #expect(streamed(&choice) == 0, "the first copy is plain")
        choice.record(nanoseconds: 4_000, byteCount: 65_536)
        #expect(streamed(&choice) == 0, "16 GB/s is no crawling")
        var counts: [Int] = []
        for _ in 0..<9 {
            choice.record(nanoseconds: 30_000, byteCount: 65_536)
            counts.append(streamed(&choice))
        }
        #expect(counts == [16, 32, 64, 128, 256, 512, 1024, 1024, 1024])
        choice.record(nanoseconds: 4_000, byteCount: 65_536)
        #expect(streamed(&choice) == 0)
        choice.record(nanoseconds: 30_000, byteCount: 65_536)
        #expect(streamed(&choice) == 16, "a single crawl may be an interruption")
    }
}
