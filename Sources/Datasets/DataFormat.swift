// How data lie on disk: one file under Formats/ a format. A format knows its configuration keys and
// its files, and makes named columns of them; what is learnt from the columns is a task's affair.

import Configuration

/// Which samples are meant.
package enum Split: String, CaseIterable, Sendable {
    /// What a run trains on.
    case training
    /// What it is measured on.
    case test
}

/// One way in which data lie in files.
package protocol DataFormat: Sendable {
    /// The value of `data.format`.
    static var name: String { get }
    /// The keys of `data` that belong to the format; a task has others beside them.
    static var keys: [String] { get }

    /// Reads the format's keys from the object `data`.
    init(_ data: ConfigurationReader) throws(ConfigurationError)
    /// The format's keys with every default written out, without `format`.
    var resolved: [String: ConfigurationValue] { get }
    /// All files; setting them names the same files elsewhere, in the same order.
    var paths: [String] { get set }

    /// The columns of a split, from the headers of its files.
    func columns(of split: Split) throws(DataError) -> [Column.Outline]
    /// The samples of a split.
    func read(_ split: Split) throws(DataError) -> Dataset
    /// The samples of both splits, for formats that cut them out of one file: it is read once.
    func readBoth() throws(DataError) -> (training: Dataset, test: Dataset)
}

extension DataFormat {
    package func readBoth() throws(DataError) -> (training: Dataset, test: Dataset) {
        (try read(.training), try read(.test))
    }

    /// What an error about all of the data is about: the first file.
    package var displayName: String { paths.first ?? "data.format \"\(Self.name)\"" }

    /// The same files by name in another folder.
    package func relocated(toFolder folder: String) -> Self {
        var copy = self
        copy.paths = paths.map { path in
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
        }
        return copy
    }
}
