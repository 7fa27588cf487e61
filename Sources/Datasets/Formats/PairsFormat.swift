// `data.format: "pairs"`: pairs of texts, one to be turned into the other, from files or made by a
// generator.

import Configuration

/// Lines and what they are to be turned into.
package struct PairsFormat: DataFormat {
    package static let name = "pairs"
    package static let keys = fileKeys + GeneratedPairs.keys

    /// Where pairs are read from.
    fileprivate enum Files: Sendable {
        /// Lines "source, tab, target".
        case table(String)
        /// Two files whose lines belong together.
        case sides(sources: String, targets: String)
    }

    /// Which pairs are measured and not trained on.
    fileprivate enum TestPart: Sendable {
        /// That share of the lines, at the end.
        case share(Double)
        case files(Files)
    }

    fileprivate enum Origin: Sendable {
        case files(Files, test: TestPart)
        case generator(GeneratedPairs)
    }

    private static let fileKeys = [
        "path", "sources", "targets", "testShare", "testPath", "testSources", "testTargets",
    ]

    fileprivate var origin: Origin

    package init(_ data: ConfigurationReader) throws(ConfigurationError) {
        if data.has("generator") {
            try data.refuse(Self.fileKeys)
            origin = .generator(try GeneratedPairs(data))
        } else {
            try data.refuse(GeneratedPairs.keys)
            origin = try Self.files(data)
        }
    }

    private static func files(_ data: ConfigurationReader) throws(ConfigurationError) -> Origin {
        guard let training = try Files(data, "path", "sources", "targets") else {
            throw data.missing(
                "path", "a file of pairs, or \"sources\" and \"targets\", or a \"generator\"")
        }
        if let test = try Files(data, "testPath", "testSources", "testTargets") {
            guard !data.has("testShare") else {
                throw data.conflict("testShare", "there is a test file already")
            }
            return .files(training, test: .files(test))
        }
        let share = try data.number("testShare", .fraction) ?? 0.1
        guard share > 0 else {
            throw data.outOfRange("testShare", "above 0 and below 1", "0")
        }
        return .files(training, test: .share(share))
    }

    package var resolved: [String: ConfigurationValue] {
        switch origin {
        case .generator(let generator): return generator.resolved
        case .files(let training, .share(let share)):
            return training.resolved("path", "sources", "targets")
                .merging(["testShare": .number(share)]) { $1 }
        case .files(let training, .files(let test)):
            return training.resolved("path", "sources", "targets")
                .merging(test.resolved("testPath", "testSources", "testTargets")) { $1 }
        }
    }

    package var paths: [String] {
        get {
            switch origin {
            case .generator: []
            case .files(let training, .share): training.paths
            case .files(let training, .files(let test)): training.paths + test.paths
            }
        }
        set {
            guard case .files(let training, let part) = origin else { return }
            var rest = newValue[...]
            let moved = training.moved(to: &rest)
            switch part {
            case .share: origin = .files(moved, test: part)
            case .files(let test): origin = .files(moved, test: .files(test.moved(to: &rest)))
            }
        }
    }

    package func columns(of split: Split) throws(DataError) -> [Column.Outline] {
        Self.outlines(file: displayName, count: nil)
    }

    package func read(_ split: Split) throws(DataError) -> Dataset {
        Self.dataset(try pairs(of: split))
    }

    package func readBoth() throws(DataError) -> (training: Dataset, test: Dataset) {
        guard case .files(let all, .share(let share)) = origin else {
            return (try read(.training), try read(.test))
        }
        let parts = try all.read().split(testShare: share)
        return (Self.dataset(parts.training), Self.dataset(parts.test))
    }

    private static func dataset(_ pairs: PairedText) -> Dataset {
        let outlines = outlines(file: pairs.name, count: pairs.count)
        return Dataset(
            name: pairs.name,
            columns: [
                Column(outlines[0], .texts(pairs.sources)),
                Column(outlines[1], .texts(pairs.targets)),
            ], droppedCount: pairs.droppedCount)
    }

    private func pairs(of split: Split) throws(DataError) -> PairedText {
        switch (origin, split) {
        case (.generator(let generator), _): return try generator.pairs(of: split)
        case (.files(_, .files(let test)), .test): return try test.read()
        case (.files(let training, .files), .training): return try training.read()
        case (.files(let all, .share(let share)), _):
            let parts = try all.read().split(testShare: share)
            return split == .training ? parts.training : parts.test
        }
    }

    private static func outlines(file: String, count: Int?) -> [Column.Outline] {
        ["source", "target"].map {
            Column.Outline(name: $0, file: file, count: count, kind: .text)
        }
    }
}

extension PairsFormat.Files {
    /// The files under one key, or under two; nil if none of the three is there.
    fileprivate init?(
        _ data: ConfigurationReader, _ path: String, _ sources: String, _ targets: String
    ) throws(ConfigurationError) {
        switch (try data.text(path), try data.text(sources), try data.text(targets)) {
        case (nil, nil, nil): return nil
        case (let table?, nil, nil): self = .table(table)
        case (nil, let one?, let other?): self = .sides(sources: one, targets: other)
        case (nil, nil, _): throw data.missing(sources, "the file beside \"\(targets)\"")
        case (nil, _, nil): throw data.missing(targets, "the file beside \"\(sources)\"")
        default:
            throw data.conflict(
                path, "give either \"\(path)\" or \"\(sources)\" and \"\(targets)\", not both")
        }
    }

    fileprivate func resolved(
        _ path: String, _ sources: String, _ targets: String
    ) -> [String: ConfigurationValue] {
        switch self {
        case .table(let table): [path: .string(table)]
        case .sides(let one, let other): [sources: .string(one), targets: .string(other)]
        }
    }

    fileprivate var paths: [String] {
        switch self {
        case .table(let path): [path]
        case .sides(let sources, let targets): [sources, targets]
        }
    }

    /// The same at the first of the paths, which are taken away.
    fileprivate func moved(to paths: inout ArraySlice<String>) -> Self {
        switch self {
        case .table(let path): .table(paths.popFirst() ?? path)
        case .sides(let sources, let targets):
            .sides(
                sources: paths.popFirst() ?? sources, targets: paths.popFirst() ?? targets)
        }
    }

    fileprivate func read() throws(DataError) -> PairedText {
        switch self {
        case .table(let path): try PairedText(tabSeparated: path)
        case .sides(let sources, let targets): try PairedText(sources: sources, targets: targets)
        }
    }
}
