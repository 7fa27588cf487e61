// What can be wrong with a data set, as data, and the one place that puts it into words.

import ExitCodes

/// A data file, or a demand on it, that cannot be used; `description` is one line for the user.
public struct DataError: ExitCoded, Equatable, Sendable {
    /// What went wrong.
    public enum Problem: Equatable, Sendable {
        case missing
        case unreadable(reason: String)
        case corruptGzip(reason: String, offset: UInt64)
        /// `got` bytes are there, or can be at most.
        case truncated(expected: UInt64, got: UInt64)
        case trailingBytes(expected: UInt64)
        case wrongMagic(expected: [UInt32], got: UInt32)
        case badExtent(dimension: Int, extent: UInt32, limit: UInt32)
        case tooLarge(byteCount: UInt64, limit: UInt64)
        case countMismatch(labels: Int, images: Int, imageFile: String)
        case labelOutOfRange(label: Int, sample: Int, classes: Int)
        case tooFewSamples(available: Int, needed: Int, reason: String)
        case shapeMismatch(expected: String, got: String)
        case channelMismatch(channels: Int, given: Int)
        case stalled(seconds: Double)
        /// The data have no column of that name, which the task needs.
        case noColumn(name: String, known: [String])
        /// A column holds something else than the task needs.
        case wrongKind(column: String, expected: String, got: String)
        case text(TextProblem)
    }

    /// The file's path, or the name of the data set.
    public let file: String
    /// What went wrong.
    public let problem: Problem

    /// Bad data.
    public var exitCode: ExitCode { .data }

    /// An error about `file`.
    public init(file: String, problem: Problem) {
        self.file = file
        self.problem = problem
    }
}

extension DataError: CustomStringConvertible {
    /// The line for the user.
    public var description: String { "\(file): \(words)" }

    private var words: String {
        switch problem {
        case .missing:
            if file.hasPrefix(Self.fashionMNISTFolder) {
                return "no such data file; cluster/setup installs Debian's package "
                    + "dataset-fashion-mnist, which it is part of"
            }
            return "no such data file; check the path"
        case .unreadable(let reason):
            return "cannot read the data file: \(reason)"
        case .corruptGzip(let reason, let offset):
            return "damaged gzip data (\(reason)) after \(offset) unpacked bytes; "
                + "fetch the file again"
        case .truncated(let expected, let got):
            return "truncated: expected \(expected) bytes, got \(got); fetch the file again"
        case .trailingBytes(let expected):
            return "longer than its header says: bytes follow the expected \(expected)"
        case .wrongMagic(let expected, let got):
            let wanted = expected.map(Self.hexadecimal).joined(separator: " or ")
            return "not the expected kind of IDX file: expected magic number \(wanted), "
                + "got \(Self.hexadecimal(got))"
        case .badExtent(let dimension, let extent, let limit):
            return "the header's dimension \(dimension) is \(extent), expected 1 to \(limit)"
        case .tooLarge(let byteCount, let limit):
            return "the header promises \(byteCount) bytes, more than the limit of \(limit)"
        case .countMismatch(let labels, let images, let imageFile):
            return "holds \(labels) labels, but \(imageFile) holds \(images) images"
        case .labelOutOfRange(let label, let sample, let classes):
            return "label \(label) of sample \(sample) is out of range, "
                + "expected 0 to \(classes - 1) (data.classes is \(classes))"
        case .tooFewSamples(let available, let needed, let reason):
            return "holds \(available) samples, but \(reason) needs at least \(needed)"
        case .shapeMismatch(let expected, let got):
            return "images are \(got), expected \(expected) (channels x height x width)"
        case .channelMismatch(let channels, let given):
            return "images have \(channels) channels, but data.mean and data.standardDeviation "
                + "have \(given) numbers"
        case .stalled(let seconds):
            return "no batch was prepared within \(seconds) seconds"
        case .noColumn(let name, let known):
            return "has no column \"\(name)\", only \(known.joined(separator: ", "))"
        case .wrongKind(let column, let expected, let got):
            return "column \"\(column)\" must be \(expected), but is \(got)"
        case .text(let problem):
            return problem.words
        }
    }

    /// Where Debian's package with Fashion-MNIST puts its files.
    private static let fashionMNISTFolder = "/usr/share/datasets/fashion-mnist/"

    private static func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
