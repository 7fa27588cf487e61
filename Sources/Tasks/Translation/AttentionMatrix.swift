/// Which symbols of a source a model looked at for each symbol that it wrote.
package struct AttentionMatrix: Sendable, Equatable {
    /// The source's symbols as people read them.
    package let sources: [String]
    /// The target's, with the mark of its end.
    package let targets: [String]
    /// One row a target symbol, one column a source symbol.
    package let weights: [[Float]]

    package init(sources: [String], targets: [String], weights: [[Float]]) {
        self.sources = sources
        self.targets = targets
        self.weights = weights
    }

    /// Of the steps that write a symbol (the end is none), how many have their largest weight at
    /// most one position from where a reversal reads: step t from position S - 1 - t.
    package static func antidiagonal(_ weights: [[Float]]) -> (near: Int, steps: Int) {
        let steps = weights.dropLast()
        let near = steps.enumerated().count { step, row in
            guard let peak = row.max().flatMap({ row.firstIndex(of: $0) }) else { return false }
            return abs(peak - (row.count - 1 - step)) <= 1
        }
        return (near, steps.count)
    }
}
