import ExitCodes
import Foundation

/// The result of a run.
public struct TrainingResult: Sendable, Equatable, Decodable {
    /// Number of weight updates.
    public let steps: Int
    /// Passes over the training data; the last one may be incomplete.
    public let epochs: Int
    /// The share of test samples that were classified right; nil where there are no classes.
    public let testAccuracy: Double?
    /// The mean loss of the test samples, or of a text's last part.
    public let testLoss: Double?
    /// Seconds from the first step to the end.
    public let seconds: Double
    /// Training samples per second.
    public let samplesPerSecond: Double
    /// SHA-256 of the weights.
    public let modelDigest: String
    /// The run's folder.
    public let folder: String

    private enum CodingKeys: String, CodingKey {
        case steps, epochs, seconds
        case testAccuracy = "test_accuracy"
        case testLoss = "test_loss"
        case validationLoss = "validation_loss"
        case samplesPerSecond = "samples_per_s"
        case modelDigest = "model_sha256"
        case folder = "output"
    }

    /// Reads the figures from JSON, as they stand behind "result" in a run's last line.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        steps = try values.decode(Int.self, forKey: .steps)
        epochs = try values.decode(Int.self, forKey: .epochs)
        testAccuracy = try values.decodeIfPresent(Double.self, forKey: .testAccuracy)
        testLoss =
            try values.decodeIfPresent(Double.self, forKey: .testLoss)
            ?? values.decodeIfPresent(Double.self, forKey: .validationLoss)
        seconds = try values.decode(Double.self, forKey: .seconds)
        samplesPerSecond = try values.decode(Double.self, forKey: .samplesPerSecond)
        modelDigest = try values.decode(String.self, forKey: .modelDigest)
        folder = try values.decode(String.self, forKey: .folder)
    }

    init(line: String) throws {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        self = try decoder.decode(Self.self, from: Data(line.drop { $0 != "{" }.utf8))
    }
}

/// How well a network does on test data.
public struct TestFigures: Sendable, Equatable {
    /// The share of samples that were classified right; nil where there are no classes.
    public let accuracy: Double?
    /// The mean loss.
    public let loss: Double
    /// Samples, or steps of samples where each step has a class.
    public let sampleCount: Int
}

/// The error of a run that did not reach its end.
public struct TrainingFailure: ExitCoded, Sendable, CustomStringConvertible {
    /// What the program may exit with, as `rondo train` would.
    public let exitCode: ExitCode
    /// What went wrong.
    public let message: String
    /// The last log lines of the worker that failed.
    public let logLines: [String]

    init(exitCode: ExitCode, message: String, logLines: [String] = []) {
        self.exitCode = exitCode
        self.message = message
        self.logLines = logLines
    }

    /// The message with the log's lines.
    public var description: String {
        ([message] + logLines.map { "    " + $0 }).joined(separator: "\n")
    }
}
