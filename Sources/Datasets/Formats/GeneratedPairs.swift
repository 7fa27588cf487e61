import Configuration

/// Pairs that are made; the same ones for the same options.
struct GeneratedPairs: Sendable {
    private enum Name: String, CaseIterable, Sendable { case reversal, dates }

    static let keys =
        ["generator", "seed", "trainingPairs", "testPairs"] + reversalKeys
    private static let reversalKeys = ["symbols", "minimumLength", "maximumLength"]

    private let name: Name
    private let task: SyntheticPairs
    private let seed: UInt64
    private let trainingPairs: Int
    private let testPairs: Int

    init(_ data: ConfigurationReader) throws(ConfigurationError) {
        name = try data.name("generator") ?? .reversal
        seed = UInt64(try data.integer("seed", 0...Int.max) ?? 1)
        trainingPairs = try data.integer("trainingPairs", 1...100_000_000) ?? 50_000
        testPairs = try data.integer("testPairs", 1...1_000_000) ?? 1000
        switch name {
        case .dates:
            try data.refuse(Self.reversalKeys)
            task = .dates
        case .reversal:
            let symbols = try data.integer("symbols", 1...62) ?? 26
            let shortest = try data.integer("minimumLength", 1...4096) ?? 1
            let longest = try data.integer("maximumLength", 1...4096) ?? 20
            guard shortest <= longest else {
                throw data.conflict(
                    "minimumLength", "\(shortest) is more than \"maximumLength\" (\(longest))")
            }
            task = .reversal(symbols: symbols, lengths: shortest...longest)
        }
    }

    var resolved: [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = [
            "generator": .string(name.rawValue), "seed": .integer(Int(seed)),
            "trainingPairs": .integer(trainingPairs), "testPairs": .integer(testPairs),
        ]
        if case .reversal(let symbols, let lengths) = task {
            members["symbols"] = .integer(symbols)
            members["minimumLength"] = .integer(lengths.lowerBound)
            members["maximumLength"] = .integer(lengths.upperBound)
        }
        return members
    }

    /// The test part is drawn first, whatever the number of training pairs.
    func pairs(of split: Split) throws(DataError) -> PairedText {
        let parts = try task.parts(
            seed: seed, trainingCount: split == .training ? trainingPairs : 0,
            testCount: testPairs)
        return try PairedText(
            split == .training ? parts.training : parts.test,
            name: "the generator \"\(name.rawValue)\"")
    }
}
