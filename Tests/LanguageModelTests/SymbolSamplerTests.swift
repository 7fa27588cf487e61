import Foundation
import LanguageModel
import Testing

@Suite struct SymbolSamplerTests {
    private let logits: [Float] = [0.5, 2, -1, 2, 1.25, -3]

    private func shares(
        _ sampler: SymbolSampler, _ logits: [Float], draws: Int = 20_000
    ) throws -> [Double] {
        var sampler = sampler
        var counts = [Int](repeating: 0, count: logits.count)
        for _ in 0..<draws {
            let symbol = sampler.choose(logits)
            counts[Int(try #require(symbol))] += 1
        }
        return counts.map { Double($0) / Double(draws) }
    }

    private func softmax(_ logits: [Float], temperature: Double) -> [Double] {
        let powers = logits.map { exp(Double($0) / temperature) }
        return powers.map { $0 / powers.reduce(0, +) }
    }

    @Test(arguments: [0.3, 1, 4]) func drawsFollowTheSoftmax(temperature: Double) throws {
        let drawn = try shares(SymbolSampler(seed: 11, temperature: temperature), logits)
        for (share, expected) in zip(drawn, softmax(logits, temperature: temperature)) {
            // Four standard deviations of a share, and one draw.
            let bound = 4 * (expected * (1 - expected) / 20_000).squareRoot() + 5e-5
            #expect(abs(share - expected) <= bound, "\(share) for \(expected)")
        }
    }

    @Test func topTakesTheFirstOfEquals() throws {
        let two = try shares(SymbolSampler(seed: 2, temperature: 1, topCount: 2), logits)
        #expect(two[1] + two[3] == 1)
        #expect(abs(two[1] - 0.5) < 0.02)
        let one = try shares(SymbolSampler(seed: 2, temperature: 5, topCount: 1), logits)
        #expect(one[1] == 1)
        let many = try shares(SymbolSampler(seed: 2, temperature: 1, topCount: 100), logits)
        #expect(many == (try shares(SymbolSampler(seed: 2, temperature: 1), logits)))
    }

    @Test func temperatureZeroTakesTheMostLikely() throws {
        for temperature in [0, 1e-300] {
            var sampler = SymbolSampler(seed: 3, temperature: temperature, topCount: 1)
            #expect(sampler.choose(logits) == 1)
        }
        var sampler = SymbolSampler(seed: 3, temperature: 1e-300)
        #expect(sampler.choose([0, -1, 4, 3.9]) == 2)
        #expect(sampler.choose([0, -.infinity, 4, 3.9]) == 2)
        #expect(sampler.choose([0, .infinity, 4, 3.9]) == 1)
    }

    @Test func excludedSymbolsAreNeverChosen() throws {
        let greedy = try shares(SymbolSampler(seed: 1, temperature: 0, excluding: 0..<2), logits)
        #expect(greedy[3] == 1)
        let drawn = try shares(
            SymbolSampler(seed: 1, temperature: 9, topCount: 3, excluding: 0..<4), logits)
        #expect(drawn[4] + drawn[5] == 1)
        var nothing = SymbolSampler(seed: 1, temperature: 1, excluding: 0..<6)
        #expect(nothing.choose(logits) == nil)
    }

    @Test func seedsDifferAndRepeat() {
        func draws(_ seed: UInt64) -> [Int32?] {
            var sampler = SymbolSampler(seed: seed, temperature: 1)
            return (0..<50).map { _ in sampler.choose(logits) }
        }
        #expect(draws(1) == draws(1))
        #expect(draws(1) != draws(2))
    }

    @Test func noNumbersNoSymbol() {
        var sampler = SymbolSampler(seed: 1, temperature: 1)
        #expect(sampler.choose([0, .nan, 1]) == nil)
    }
}
