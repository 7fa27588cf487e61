import CKernels
import Testing

@Suite struct BFloat16Tests {
    private func rounded(_ values: [Float]) -> [UInt16] {
        var result = [UInt16](repeating: 1, count: values.count)
        rondo_round_to_bfloat16(&result, values, values.count)
        return result
    }

    private func widened(_ values: [UInt16]) -> [Float] {
        var result = [Float](repeating: 1, count: values.count)
        rondo_widen_bfloat16(&result, values, values.count)
        return result
    }

    @Test func everyNumberIsItsOwnNearest() {
        let all = (0...UInt16.max).map { $0 }
        let wide = widened(all)
        #expect(wide.map { UInt16($0.bitPattern >> 16) } == all)
        for (number, (float, again)) in zip(all, zip(wide, rounded(wide))) {
            #expect(again == (float.isNaN ? 0x7fc0 : number))
        }
    }

    @Test func theNearestIsTakenAndTheEvenOneOfTwo() {
        // 1 = 0x3f80 and its neighbours are 1/128 apart.
        let cases: [(Float, UInt16)] = [
            (1 + 1 / 256, 0x3f80), (1 + 3 / 256, 0x3f82), (-(1 + 3 / 256), 0xbf82),
            ((1 + 1 / 256 as Float).nextUp, 0x3f81), ((1 + 3 / 256 as Float).nextDown, 0x3f81),
            (0, 0), (-0.0, 0x8000), (.leastNonzeroMagnitude, 0),
            (.infinity, 0x7f80), (-.infinity, 0xff80), (.greatestFiniteMagnitude, 0x7f80),
            (.nan, 0x7fc0), (Float(bitPattern: 0x7f80_0001), 0x7fc0),
        ]
        #expect(rounded(cases.map(\.0)) == cases.map(\.1))
    }

    /// Against the definition, for numbers of all magnitudes and lengths that leave a rest behind
    /// the vectors.
    @Test(arguments: [1, 7, 33, 1000]) func noNeighbourIsNearer(count: Int) {
        let seed: UInt64 = 7
        var state = seed
        let values = (0..<count).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(bitPattern: UInt32(truncatingIfNeeded: state >> 33) & 0x7eff_ffff)
        }
        for (value, nearest) in zip(values, rounded(values)) {
            let candidates = widened([nearest, nearest + 1, nearest == 0 ? 0 : nearest - 1])
            let distances = candidates.map { abs(Double($0) - Double(value)) }
            #expect(distances[0] <= min(distances[1], distances[2]), "\(value), seed \(seed)")
        }
    }

    @Test func sumsAreRoundedOnce() {
        let a = rounded([1, 256, 3e38, 1, .nan]), b = rounded([1 / 256, 1, 3e38, -1, 1])
        var sums = a
        rondo_sum_bfloat16(&sums, a, b, a.count)
        // 256 + 1 lies half-way between 256 and 258.
        #expect(widened(Array(sums[..<4])) == [1, 256, .infinity, 0])
        #expect(sums[4] == 0x7fc0)
    }
}
