import Autodiff
import Kernels
import Tensors

/// Chooses symbols by a model's logits. Draw number n of a seed is a function of (seed, n), so the
/// same model gives the same text again.
package struct SymbolSampler {
    /// What divides the logits: below 1 likely symbols become likelier; 0 takes the most likely
    /// one.
    package let temperature: Double
    /// How many of the most likely symbols are drawn from; nil: all.
    package let topCount: Int?
    /// Symbols that are never chosen.
    package let excluded: Range<Int>
    private let generator: Philox4x32
    private var drawCount: UInt64 = 0

    /// Keeps these random numbers apart from all others of the same seed ("GENERATE").
    private static let purpose: UInt64 = 0x4745_4e45_5241_5445

    package init(
        seed: UInt64, temperature: Double, topCount: Int? = nil,
        excluding excluded: Range<Int> = 0..<0
    ) {
        precondition(
            temperature >= 0 && topCount ?? 1 > 0,
            "temperature \(temperature), top \(topCount ?? 0)")
        self.temperature = temperature
        self.topCount = topCount
        self.excluded = excluded
        generator = Philox4x32(key: seed ^ Self.purpose)
    }

    /// The next symbol; nil where a logit is no number, or no symbol is left to choose.
    package mutating func choose(_ logits: [Float]) -> Int32? {
        defer { drawCount += 1 }
        guard !logits.contains(where: \.isNaN) else { return nil }
        var candidates = logits.indices.filter { !excluded.contains($0) }
        guard let first = candidates.first else { return nil }
        let best = candidates.dropFirst().reduce(first) { logits[$1] > logits[$0] ? $1 : $0 }
        guard temperature > 0, logits[best].isFinite else { return Int32(best) }
        if let topCount, topCount < candidates.count {
            candidates.sort { (logits[$1], $0) < (logits[$0], $1) }
            candidates = Array(candidates.prefix(topCount))
        }
        // From the largest, so that no temperature however small makes infinities.
        let scaled = candidates.map { Float(Double(logits[$0] - logits[best]) / temperature) }
        let row = Tape(.evaluation).constant(Tensor(scaled, [1, scaled.count]))
        let shares = softmax(row).value.scalars
        return Int32(candidates[position(of: uniform(), in: shares)])
    }

    /// In 0 ..< 1, in steps of 2^-53.
    private func uniform() -> Double {
        let block = generator.block(counter: (drawCount, 0))
        return Double((UInt64(block.0) << 32 | UInt64(block.1)) >> 11) * 0x1p-53
    }

    /// The first position up to which the shares add up to more than `part` of their sum.
    private func position(of part: Double, in shares: [Float]) -> Int {
        let wanted = part * shares.reduce(0.0) { $0 + Double($1) }
        var sum = 0.0
        for (index, share) in shares.enumerated() {
            sum += Double(share)
            if sum > wanted { return index }
        }
        return shares.count - 1
    }
}
