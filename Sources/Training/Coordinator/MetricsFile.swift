// metrics.jsonl: one JSON object a line. A step has `loss` and `accuracy` of its training samples;
// an evaluation has `test_loss` and `test_accuracy`. Each step stands in the file once: what a
// resumed run computes again is cut off first.

import Foundation
import WireFormat

/// Writes a run's measurements. One user.
final class MetricsFile {
    private struct StepLine: Encodable {
        let step: Int
        let epoch: Int
        let loss: Double
        let accuracy: Double
        let learningRate: Double
        let seconds: Double
        let samplesPerSecond: Double
        let workers: Int
        let generation: UInt32

        enum CodingKeys: String, CodingKey {
            case step, epoch, loss, accuracy, seconds, workers, generation
            case learningRate = "learning_rate"
            case samplesPerSecond = "samples_per_s"
        }
    }

    private struct EvaluationLine: Encodable {
        let step: Int
        let epoch: Int
        let testLoss: Double
        let testAccuracy: Double
        let seconds: Double
        let workers: Int
        let generation: UInt32

        enum CodingKeys: String, CodingKey {
            case step, epoch, seconds, workers, generation
            case testLoss = "test_loss"
            case testAccuracy = "test_accuracy"
        }
    }

    private struct StepNumber: Decodable { let step: Int }

    private let path: String
    private let file: FileHandle
    private let encoder = JSONEncoder()

    /// Opens the file and keeps its lines up to `startStep`.
    init(folder: RunFolder, startStep: Int) throws(RunFolderError) {
        path = folder.metricsPath
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            let kept = Self.lines(of: path, upTo: startStep)
            try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seekToEnd()
        } catch {
            throw RunFolderError(
                path: folder.path,
                problem: .cannotWrite(
                    file: "metrics.jsonl", reason: RunFolder.words(for: error)))
        }
    }

    deinit { try? file.close() }

    private static func lines(of path: String, upTo step: Int) -> Data {
        guard step > 0, let bytes = FileManager.default.contents(atPath: path) else {
            return Data()
        }
        var kept = Data()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // A line that a crash cut short is no line.
            guard let number = try? JSONDecoder().decode(StepNumber.self, from: line),
                number.step <= step
            else { continue }
            kept += line + [UInt8(ascii: "\n")]
        }
        return kept
    }

    func append(_ reports: [StepReport], workers: Int, generation: UInt32) throws {
        var bytes = Data()
        for report in reports {
            let count = Double(max(1, report.sampleCount))
            bytes += try encoder.encode(
                StepLine(
                    step: report.step, epoch: report.epoch, loss: report.lossSum / count,
                    accuracy: Double(report.correctCount) / count,
                    learningRate: report.learningRate, seconds: report.seconds,
                    samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                    workers: workers, generation: generation))
            bytes.append(UInt8(ascii: "\n"))
        }
        try file.write(contentsOf: bytes)
    }

    func append(_ report: EvaluationReport, workers: Int, generation: UInt32) throws {
        let count = Double(max(1, report.sampleCount))
        var bytes = try encoder.encode(
            EvaluationLine(
                step: report.step, epoch: report.epoch, testLoss: report.lossSum / count,
                testAccuracy: Double(report.correctCount) / count, seconds: report.seconds,
                workers: workers, generation: generation))
        bytes.append(UInt8(ascii: "\n"))
        try file.write(contentsOf: bytes)
    }
}
