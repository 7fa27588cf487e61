// metrics.jsonl: one JSON object a line. A step has `loss` and `accuracy` of its training samples;
// an evaluation has `test_loss` and `test_accuracy`, and its `loss` is that of the test. Each step stands in the file once: what a
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
        let loss: Double
        let testLoss: Double
        let testAccuracy: Double
        let seconds: Double
        let samplesPerSecond: Double
        let workers: Int
        let generation: UInt32

        enum CodingKeys: String, CodingKey {
            case step, epoch, loss, seconds, workers, generation
            case samplesPerSecond = "samples_per_s"
            case testLoss = "test_loss"
            case testAccuracy = "test_accuracy"
        }
    }

    /// What is read back of either kind of line.
    private struct KeptLine: Decodable {
        let step: Int
        let testLoss: Double?
        let testAccuracy: Double?

        enum CodingKeys: String, CodingKey {
            case step
            case testLoss = "test_loss"
            case testAccuracy = "test_accuracy"
        }
    }

    private let folder: RunFolder
    private let file: FileHandle
    private let encoder = JSONEncoder()
    /// The test split's figures after the step at which the run goes on, where they were measured.
    let evaluationAtStart: (loss: Double, accuracy: Double)?

    /// Opens the file and keeps its lines up to `startStep`.
    init(folder: RunFolder, startStep: Int) throws(RunFolderError) {
        self.folder = folder
        let path = folder.metricsPath
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            let (kept, evaluation) = Self.lines(of: path, upTo: startStep)
            evaluationAtStart = evaluation
            try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seekToEnd()
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }

    deinit { try? file.close() }

    private static func lines(
        of path: String, upTo step: Int
    ) -> (kept: Data, evaluation: (loss: Double, accuracy: Double)?) {
        guard step > 0, let bytes = FileManager.default.contents(atPath: path) else {
            return (Data(), nil)
        }
        var kept = Data()
        var evaluation: (loss: Double, accuracy: Double)?
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // A line that a crash cut short is no line.
            guard let read = try? JSONDecoder().decode(KeptLine.self, from: line),
                read.step <= step
            else { continue }
            if read.step == step, let loss = read.testLoss, let accuracy = read.testAccuracy {
                evaluation = (loss, accuracy)
            }
            kept += line + [UInt8(ascii: "\n")]
        }
        return (kept, evaluation)
    }

    func append(
        _ reports: [StepReport], workers: Int, generation: UInt32
    ) throws(RunFolderError) {
        try write(
            reports.map { report in
                let count = Double(max(1, report.sampleCount))
                return StepLine(
                    step: report.step, epoch: report.epoch, loss: report.lossSum / count,
                    accuracy: Double(report.correctCount) / count,
                    learningRate: report.learningRate, seconds: report.seconds,
                    samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                    workers: workers, generation: generation)
            })
    }

    func append(
        _ report: EvaluationReport, workers: Int, generation: UInt32
    ) throws(RunFolderError) {
        let count = Double(max(1, report.sampleCount))
        let loss = report.lossSum / count
        try write([
            EvaluationLine(
                step: report.step, epoch: report.epoch, loss: loss, testLoss: loss,
                testAccuracy: Double(report.correctCount) / count, seconds: report.seconds,
                samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                workers: workers, generation: generation)
        ])
    }

    private func write(_ lines: [some Encodable]) throws(RunFolderError) {
        do {
            var bytes = Data()
            for line in lines { bytes += try encoder.encode(line) + [UInt8(ascii: "\n")] }
            try file.write(contentsOf: bytes)
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }
}
