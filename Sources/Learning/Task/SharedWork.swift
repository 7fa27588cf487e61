// Work that is cut into numbered parts, whoever does them: the batches of an evaluation, the games
// of a rollout. The parts are dealt out contiguously by rank, their numbers gathered in order, so
// that all workers end with the same values, however many they are.

/// Numbered parts that any worker may do: pure functions of (weights, state, step, part).
package protocol SharedWork {
    var partCount: Int { get }
    /// Numbers per part.
    var valueCount: Int { get }
    /// Does one part.
    func values(ofPart part: Int) throws -> [Double]
    /// Takes the values of all parts, in their order; called on all workers alike.
    func take(_ values: [[Double]])
}

extension SharedWork {
    package func take(_ values: [[Double]]) {}

    /// The parts of one of `worldSize` workers: contiguous, as equal as can be.
    package func parts(rank: Int, worldSize: Int) -> Range<Int> {
        partCount * rank / worldSize..<partCount * (rank + 1) / worldSize
    }

    /// All parts in this process, added up.
    package func total() throws -> [Double] {
        Self.total(try (0..<partCount).map { try values(ofPart: $0) }, valueCount: valueCount)
    }

    /// The sum of parts given in order, added in Double part by part, so that it does not depend on
    /// who did which.
    package static func total(_ parts: some Sequence<[Double]>, valueCount: Int) -> [Double] {
        var sums = [Double](repeating: 0, count: valueCount)
        for part in parts {
            for index in sums.indices { sums[index] += part[index] }
        }
        return sums
    }
}
