// Pairs of texts, one to be turned into the other: from files, or made by a generator.

import Configuration

package struct PairDataConfiguration: Sendable, Equatable {
    /// Where pairs are read from.
    package enum Files: Sendable, Equatable {
        /// Lines "source, tab, target".
        case table(String)
        /// Two files whose lines belong together.
        case sides(sources: String, targets: String)
    }

    /// Which pairs are measured and not trained on.
    package enum TestPart: Sendable, Equatable {
        /// So much of the lines, at the end.
        case share(Double)
        case files(Files)
    }

    package enum GeneratorName: String, CaseIterable, Sendable { case reversal, dates }

    /// Pairs that are made; the same ones for the same options.
    package struct Generator: Sendable, Equatable {
        package enum Task: Sendable, Equatable {
            /// Strings of the first `symbols` of a-z, A-Z, 0-9, to be written backwards.
            case reversal(symbols: Int, lengths: ClosedRange<Int>)
            /// Days in 16 formats, to be written as ISO 8601 does.
            case dates
        }

        package var task: Task
        package var seed: UInt64
        package var trainingPairs: Int
        package var testPairs: Int
    }

    package enum Origin: Sendable, Equatable {
        case files(Files, test: TestPart)
        case generator(Generator)
    }

    package var origin: Origin
    /// What the sources and the targets are cut into.
    package var sourceVocabulary: TextDataConfiguration.Vocabulary
    package var targetVocabulary: TextDataConfiguration.Vocabulary
    /// Whether both sides have the same symbols with the same numbers.
    package var sharedVocabulary: Bool
    /// The most symbols of a vocabulary of words or byte pairs.
    package var vocabularySize: Int
    /// Pairs with a side of more symbols are left out; the model writes no more than these.
    package var lengthLimit: Int
    /// Whether pairs of similar length share a batch.
    package var bucketing: Bool
    package var lastBatch: DataConfiguration.LastBatch

    static let fileKeys = [
        "path", "sources", "targets", "testShare", "testPath", "testSources", "testTargets",
    ]
    static let generatorKeys = [
        "generator", "seed", "trainingPairs", "testPairs", "symbols", "minimumLength",
        "maximumLength",
    ]
    static let commonKeys = [
        "format", "vocabulary", "sourceVocabulary", "targetVocabulary", "sharedVocabulary",
        "vocabularySize", "lengthLimit", "bucketing", "lastBatch",
    ]
    static let keys = commonKeys + fileKeys + generatorKeys

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let open = try parent.object("data", keys: Self.keys)
        let isMade = open.has("generator")
        let reader = try parent.object(
            "data", keys: Self.commonKeys + (isMade ? Self.generatorKeys : Self.fileKeys))
        origin = isMade ? .generator(try Generator(parent)) : try Self.files(reader)
        let both: TextDataConfiguration.Vocabulary = try reader.name("vocabulary") ?? .characters
        sourceVocabulary = try reader.name("sourceVocabulary") ?? both
        targetVocabulary = try reader.name("targetVocabulary") ?? both
        sharedVocabulary = try reader.bool("sharedVocabulary") ?? false
        vocabularySize = try reader.integer("vocabularySize", 2...1_000_000) ?? 8000
        lengthLimit = try reader.integer("lengthLimit", 1...4096) ?? 64
        bucketing = try reader.bool("bucketing") ?? true
        lastBatch = try reader.name("lastBatch") ?? .pad
        guard !sharedVocabulary || sourceVocabulary == targetVocabulary else {
            throw reader.conflict(
                "sharedVocabulary", "needs a \"sourceVocabulary\" equal to \"targetVocabulary\"")
        }
    }

    private static func files(_ reader: ConfigurationReader) throws(ConfigurationError) -> Origin {
        func read(
            _ path: String, _ sources: String, _ targets: String
        ) throws(ConfigurationError) -> Files? {
            switch (try reader.text(path), try reader.text(sources), try reader.text(targets)) {
            case (nil, nil, nil): return nil
            case (let table?, nil, nil): return .table(table)
            case (nil, let one?, let other?): return .sides(sources: one, targets: other)
            case (nil, nil, _): throw reader.missing(sources, "the file beside \"\(targets)\"")
            case (nil, _, nil): throw reader.missing(targets, "the file beside \"\(sources)\"")
            default:
                throw reader.conflict(
                    path, "give either \"\(path)\" or \"\(sources)\" and \"\(targets)\", not both")
            }
        }
        guard let training = try read("path", "sources", "targets") else {
            throw reader.missing(
                "path", "a file of pairs, or \"sources\" and \"targets\", or a \"generator\"")
        }
        if let test = try read("testPath", "testSources", "testTargets") {
            guard !reader.has("testShare") else {
                throw reader.conflict("testShare", "there is a test file already")
            }
            return .files(training, test: .files(test))
        }
        let share = try reader.number("testShare", .fraction) ?? 0.1
        guard share > 0 else {
            throw reader.outOfRange("testShare", "above 0 and below 1", "0")
        }
        return .files(training, test: .share(share))
    }

    var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "format": .string(DataConfiguration.Format.pairs.rawValue),
            "sourceVocabulary": .string(sourceVocabulary.rawValue),
            "targetVocabulary": .string(targetVocabulary.rawValue),
            "sharedVocabulary": .bool(sharedVocabulary),
            "vocabularySize": .integer(vocabularySize), "lengthLimit": .integer(lengthLimit),
            "bucketing": .bool(bucketing), "lastBatch": .string(lastBatch.rawValue),
        ]
        func write(_ files: Files, _ path: String, _ sources: String, _ targets: String) {
            switch files {
            case .table(let table): members[path] = .string(table)
            case .sides(let one, let other):
                members[sources] = .string(one)
                members[targets] = .string(other)
            }
        }
        switch origin {
        case .generator(let generator): members.merge(generator.members) { $1 }
        case .files(let training, let test):
            write(training, "path", "sources", "targets")
            switch test {
            case .share(let share): members["testShare"] = .number(share)
            case .files(let test): write(test, "testPath", "testSources", "testTargets")
            }
        }
        return .object(members)
    }

    /// The same with each path changed.
    func mappingPaths(_ change: (String) -> String) -> PairDataConfiguration {
        func mapped(_ files: Files) -> Files {
            switch files {
            case .table(let path): .table(change(path))
            case .sides(let one, let other): .sides(sources: change(one), targets: change(other))
            }
        }
        guard case .files(let training, let test) = origin else { return self }
        var copy = self
        switch test {
        case .share: copy.origin = .files(mapped(training), test: test)
        case .files(let test): copy.origin = .files(mapped(training), test: .files(mapped(test)))
        }
        return copy
    }
}

extension PairDataConfiguration.Generator {
    fileprivate init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let open = try parent.object("data", keys: PairDataConfiguration.keys)
        let name =
            try open.name("generator", PairDataConfiguration.GeneratorName.self) ?? .reversal
        let common = ["generator", "seed", "trainingPairs", "testPairs"]
        let reader = try parent.object(
            "data",
            keys: PairDataConfiguration.commonKeys
                + (name == .reversal ? PairDataConfiguration.generatorKeys : common))
        seed = UInt64(try reader.integer("seed", 0...Int.max) ?? 1)
        trainingPairs = try reader.integer("trainingPairs", 1...100_000_000) ?? 50_000
        testPairs = try reader.integer("testPairs", 1...1_000_000) ?? 1000
        switch name {
        case .dates: task = .dates
        case .reversal:
            let symbols = try reader.integer("symbols", 1...62) ?? 26
            let shortest = try reader.integer("minimumLength", 1...4096) ?? 1
            let longest = try reader.integer("maximumLength", 1...4096) ?? 20
            guard shortest <= longest else {
                throw reader.conflict(
                    "minimumLength", "\(shortest) is more than \"maximumLength\" (\(longest))")
            }
            task = .reversal(symbols: symbols, lengths: shortest...longest)
        }
    }

    fileprivate var members: [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = [
            "seed": .integer(Int(seed)), "trainingPairs": .integer(trainingPairs),
            "testPairs": .integer(testPairs),
        ]
        switch task {
        case .dates:
            members["generator"] = .string(PairDataConfiguration.GeneratorName.dates.rawValue)
        case .reversal(let symbols, let lengths):
            members["generator"] = .string(PairDataConfiguration.GeneratorName.reversal.rawValue)
            members["symbols"] = .integer(symbols)
            members["minimumLength"] = .integer(lengths.lowerBound)
            members["maximumLength"] = .integer(lengths.upperBound)
        }
        return members
    }
}
