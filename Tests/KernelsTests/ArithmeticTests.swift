import Kernels
import Testing

@Suite struct ArithmeticTests {
    @Test(arguments: [
        ("SkylakeX", false, "SkylakeX"), ("SkylakeX", true, "Haswell"),
        ("Haswell", false, "Haswell"), ("Nehalem", false, "Nehalem"),
        ("generic", false, "generic"),
    ])
    func halvedAVX512IsNotPreferred(highest: String, halves: Bool, fastest: String) {
        #expect(Arithmetic.fastestLevel(highest: highest, halvesAVX512: halves) == fastest)
    }

    @Test func whatIsFastestHereCanBeRunHere() throws {
        let fastest = try #require(Arithmetic.levels.firstIndex(of: Arithmetic.fastestLevel))
        let highest = try #require(Arithmetic.levels.firstIndex(of: Arithmetic.highestLevel))
        #expect(fastest <= highest)
    }
}
