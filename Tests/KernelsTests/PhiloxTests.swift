// Known answers of Philox4x32-10, from the file kat_vectors of Random123 (Salmon et al.).

import Kernels
import Testing

@Test(arguments: [
    (
        [0, 0, 0, 0] as [UInt32], [0, 0] as [UInt32],
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8] as [UInt32]
    ),
    (
        [.max, .max, .max, .max], [.max, .max],
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    ),
    (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    ),
])
func philoxGivesTheKnownAnswers(counter: [UInt32], key: [UInt32], expected: [UInt32]) {
    func join(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
    let generator = Philox4x32(key: join(key[0], key[1]))
    let block = generator.block(
        counter: (join(counter[0], counter[1]), join(counter[2], counter[3])))
    #expect([block.0, block.1, block.2, block.3] == expected)
}

@Test func philoxBlockDependsOnKeyAndOnBothHalvesOfTheCounter() {
    let base = Philox4x32(key: 7).block(counter: (1, 2))
    #expect(base == Philox4x32(key: 7).block(counter: (1, 2)))
    #expect(base != Philox4x32(key: 8).block(counter: (1, 2)))
    #expect(base != Philox4x32(key: 7).block(counter: (3, 2)))
    #expect(base != Philox4x32(key: 7).block(counter: (1, 3)))
}
